package proof_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rootcheck-bot/rootcheck/app"
	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/remediation"
	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
	"github.com/rootcheck-bot/rootcheck/store"
)

// TestTheWholeBotOnADiskThatFails lets the disk fail below the bot as it runs in production. A click that cannot be kept is
// not acknowledged, so that Slack shows the person an error; nothing is sent to AWS; the log says why in a line. When the
// disk is well again the same process takes the same click, and nothing that was acknowledged is missing.
func TestTheWholeBotOnADiskThatFails(t *testing.T) {
	t.Parallel()
	dir, is := theWard.disk(t)
	o := newOffice(t, []slacksim.User{
		{ID: asks, Name: "asks", Email: "asks@example.com"}, {ID: agrees, Name: "agrees", Email: "agrees@example.com"},
	}, nil, func(c *app.Config) {
		c.Requesters, c.Approvers = app.People{Users: []string{asks}}, app.People{Users: []string{agrees}}
		c.Database = filepath.Join(dir, "rootcheck.db")
	})
	r := &rights{o}
	confirmed := 0
	for name, with := range map[string]illness{"write": cannotWrite, "sync": cannotSync} {
		q := r.opened(preparer)
		log, calls := len(o.log.Bytes()), len(o.org.Effects())
		is(with)
		out := r.submit(confirmer, "form.confirm", step(q), nil)
		said := o.said(log)
		is(healthy)
		if out.Acked {
			t.Errorf("a disk that does not %s: the click was acknowledged, and it is not kept", name)
		}
		if got := r.latest(shop); got.Version != q.Version || len(o.org.Effects()) != calls {
			t.Errorf("a disk that does not %s: the request moved from version %d to %d, and %d calls had an effect", name, q.Version, got.Version, len(o.org.Effects())-calls)
		}
		why := 0
		for _, line := range said {
			if line.Msg == "envelope not committed, hence not acknowledged" && strings.Contains(line.Error, "disk I/O error") && !strings.Contains(line.Error, "\n") {
				why++
			}
		}
		if why != 1 {
			t.Errorf("a disk that does not %s is told in %d lines, want one: %+v", name, why, said)
		}
		if out = r.submit(confirmer, "form.confirm", step(q), nil); !out.Acked {
			t.Errorf("with the disk well again the click was not acknowledged")
		}
		r.act()
		if got := r.latest(shop); got.State != remediation.Inactive {
			t.Errorf("with the disk well again the key is %s", got.State)
		}
		confirmed++
	}
	records := 0
	for _, l := range o.records(agrees) {
		if l.Action == audit.RemediationConfirmed {
			records++
		}
	}
	// Each round but the last was undone by quiet, which is another confirmation.
	if want := confirmed + confirmed - 1; records != want {
		t.Errorf("%d confirmations are on record, want %d", records, want)
	}
	ok(t, o.seen.ReadLog(t.Context(), func(l store.Log) error {
		report, err := audit.Verify(t.Context(), audit.Check{Records: l.Records, Stored: l.Hashes})
		if err == nil && !report.OK() {
			t.Errorf("the audit log does not verify: %v", report.Findings)
		}
		return err
	}))
}

// line is one of the bot's log.
type line struct {
	Level string `json:"level"`
	Msg   string `json:"msg"`
	Error string `json:"error"`
}

// said are the warnings and errors since the log had this many bytes.
func (o *office) said(since int) (lines []line) {
	o.t.Helper()
	for raw := range bytes.Lines(o.log.Bytes()[since:]) {
		var l line
		ok(o.t, json.Unmarshal(raw, &l))
		if l.Level == "WARN" || l.Level == "ERROR" {
			lines = append(lines, l)
		}
	}
	return lines
}

// TestTheBotSaysThatItsDatabaseCannotBeWritten lets the disk fail under a bot that nobody uses. Within a heartbeat the log and
// the channel say so, past the database; when writes work again, the log says that and the channel what was not taken.
func TestTheBotSaysThatItsDatabaseCannotBeWritten(t *testing.T) {
	t.Parallel()
	dir, is := theWard.disk(t)
	o := newOffice(t, []slacksim.User{{ID: asks, Name: "asks", Email: "asks@example.com"}}, nil, func(c *app.Config) {
		c.Requesters = app.People{Users: []string{asks}}
		c.Database = filepath.Join(dir, "rootcheck.db")
	})
	heard := func(words string) int {
		state, _ := o.slack.State()
		return bytes.Count(state, []byte(words))
	}
	is(cannotWrite)
	o.until("the channel hears of it", func() bool { return heard("The database cannot be written") > 0 })
	plainly := 0
	for _, l := range o.said(0) {
		if l.Level == "ERROR" && l.Msg == "the database cannot be written" && strings.Contains(l.Error, "disk I/O error") {
			plainly++
		}
	}
	if plainly != 1 {
		t.Errorf("the log has %d lines for its operator, want one", plainly)
	}
	is(healthy)
	o.until("the channel hears that it is over", func() bool { return heard("The database can be written again") > 0 })
	if !bytes.Contains(o.log.Bytes(), []byte(`"the database can be written again"`)) {
		t.Error("the log does not say that it is over")
	}
}
