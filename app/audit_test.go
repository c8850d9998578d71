package app

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
)

func TestACopyOfEachRecordIsALineWhereTheSettingsAskForIt(t *testing.T) {
	t.Parallel()
	leaf := audit.Leaf{Seq: 7, Event: audit.Event{
		At: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), Actor: audit.System("worker"), Action: audit.ScanFinished, Outcome: audit.OutcomeDone,
	}}
	var out bytes.Buffer
	c := DefaultConfig()
	if c.auditCopy(Options{Audit: &out}) != nil {
		t.Error("records are copied although nobody asked for it")
	}
	c.Audit.Stdout = true
	c.auditCopy(Options{Audit: &out})([]audit.Leaf{leaf, leaf})
	if lines := strings.Split(strings.TrimSpace(out.String()), "\n"); len(lines) != 2 || !strings.Contains(lines[0], "scan.finished") {
		t.Errorf("copied %q", out.String())
	}
}
