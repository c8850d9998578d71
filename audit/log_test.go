package audit_test

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rootcheck-bot/rootcheck/audit"
)

// table is a log as a database holds it, open to whoever administers the database.
type table struct {
	rows    []audit.Record
	hashes  []audit.Hash
	missing map[int64]bool
	reads   int
}

func (t *table) ReadHashes(indexes []int64) ([]audit.Hash, error) {
	t.reads++
	out := make([]audit.Hash, 0, len(indexes))
	for _, i := range indexes {
		if i < 0 || i >= int64(len(t.hashes)) || t.missing[i] {
			return nil, audit.ErrNoHash
		}
		out = append(out, t.hashes[i])
	}
	return out, nil
}

func (t *table) records() iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for _, r := range t.rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (t *table) extend(tb fataler, events ...audit.Event) audit.Extension {
	x, err := audit.Extend(int64(len(t.rows)), t, audit.Origin{Build: "v1.2.3"}, events...)
	if err != nil {
		tb.Fatalf("extend: %v", err)
	}
	for i, raw := range x.Records {
		t.rows = append(t.rows, audit.Record{Seq: x.Leaves[i].Seq, Raw: raw})
	}
	t.hashes = append(t.hashes, x.Hashes...)
	return x
}

// rehash makes the whole tree anew over what the rows now hold: all that somebody can do who has the database alone.
func (t *table) rehash(tb fataler) {
	fresh := &table{}
	for i, r := range t.rows {
		l, err := audit.Decode(r.Raw)
		if err != nil {
			tb.Fatalf("decode row %d: %v", i, err)
		}
		x, err := audit.Extend(int64(i), fresh, audit.Origin{Replica: l.Replica, Build: l.Build}, l.Event)
		if err != nil {
			tb.Fatalf("rehash row %d: %v", i, err)
		}
		fresh.rows = append(fresh.rows, audit.Record{Seq: int64(i), Raw: x.Records[0]})
		fresh.hashes = append(fresh.hashes, x.Hashes...)
	}
	*t = *fresh
}

func (t *table) clone() *table {
	c := &table{rows: slices.Clone(t.rows), hashes: slices.Clone(t.hashes), missing: map[int64]bool{}}
	for i := range c.rows {
		c.rows[i].Raw = slices.Clone(c.rows[i].Raw)
	}
	return c
}

type fataler interface {
	Fatalf(format string, args ...any)
}

var began = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

func event(i int) audit.Event {
	return audit.Event{
		At: began.Add(time.Duration(i) * time.Second), Actor: audit.User("U024BE7LH", "T012AB3C4"),
		Action: audit.RemediationConfirmed, Outcome: audit.OutcomeDone, Request: fmt.Sprintf("r-%d", i), Version: 2,
		Account: "222222222222", Key: "AKIA…WXYZ#0123456789abcdef", Reason: fmt.Sprintf("reason %d", i),
		Approvers: []string{"U024BE7LH"}, Detail: map[string]string{"means": "organization"},
	}
}

// written is a log of n records with the heads signed at these sizes.
func written(tb fataler, n int, sizes ...int) (*table, audit.Check) {
	t := &table{}
	s := signer(tb)
	c := audit.Check{Verifiers: []string{s.Verifier()}}
	for i := range n + 1 {
		if slices.Contains(sizes, i) {
			h, err := audit.HeadOf(int64(i), t)
			if err != nil {
				tb.Fatalf("head: %v", err)
			}
			signed, err := s.SignHead(h, began)
			if err != nil {
				tb.Fatalf("sign: %v", err)
			}
			c.Heads = append(c.Heads, signed.Note())
		}
		if i < n {
			t.extend(tb, event(i))
		}
	}
	return t, c
}

func signer(tb fataler) audit.Signer {
	s, err := audit.NewSigner("rootcheck/test", strings.NewReader(strings.Repeat("seed", 8)))
	if err != nil {
		tb.Fatalf("new signer: %v", err)
	}
	return s
}

// texts draws what people and attackers write: any Unicode, control characters, quotes, markup.
func texts() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.String(),
		rapid.SampledFrom([]string{"", "<!channel>", "\u2028\u202e", "a\"b\\c\n\t\r\b\f\x00\x1f\x7f", "{\"seq\":0}", "한국어", "🔑", "=1+1"}),
	)
}

func events() *rapid.Generator[audit.Event] {
	return rapid.Custom(func(t *rapid.T) audit.Event {
		return audit.Event{
			At: time.Unix(rapid.Int64Range(0, 4_000_000_000).Draw(t, "second"), rapid.Int64Range(0, 999_999_999).Draw(t, "nano")).
				In(time.FixedZone("somewhere", rapid.IntRange(-12, 14).Draw(t, "zone")*3600)),
			Actor: audit.Actor{
				Kind: rapid.SampledFrom([]string{audit.KindUser, audit.KindSystem, audit.KindOperator}).Draw(t, "kind"),
				ID:   texts().Draw(t, "id"), Team: texts().Draw(t, "team"),
			},
			Action:  rapid.SampledFrom(audit.Actions()).Draw(t, "action"),
			Outcome: rapid.SampledFrom([]audit.Outcome{audit.OutcomeDone, audit.OutcomeRefused, audit.OutcomeFailed, audit.OutcomeAttempt, audit.OutcomeUnknown}).Draw(t, "outcome"),
			Request: texts().Draw(t, "request"), Version: rapid.Int().Draw(t, "version"), Source: texts().Draw(t, "source"),
			Account: texts().Draw(t, "account"), Key: rapid.SampledFrom([]string{"", "AKIA…WXYZ#0123456789abcdef"}).Draw(t, "key"),
			From: texts().Draw(t, "from"), To: texts().Draw(t, "to"), Reason: texts().Draw(t, "reason"),
			Approvers: rapid.SliceOfN(texts(), 0, 4).Draw(t, "approvers"), Snapshot: texts().Draw(t, "snapshot"),
			AWSRequest: texts().Draw(t, "aws request"), Detail: rapid.MapOfN(texts(), texts(), 0, 4).Draw(t, "detail"),
		}
	})
}

// golden is the form that must never change: logs that people keep were written in it.
const golden = `{"seq":7,"at":"2026-11-21T09:00:00.5Z","actor":{"kind":"user","id":"U024BE7LH","team":"T012AB3C4"},` +
	`"action":"remediation.confirmed","outcome":"done","request":"r-1","version":2,"source":"acme","account":"222222222222",` +
	`"key":"AKIA…WXYZ#0123456789abcdef","from":"requested","to":"approved","reason":"said \"<go>\" & left\n",` +
	`"approvers":["U1","U2"],"snapshot":"abc","aws_request":"req","detail":{"a":"1","b":""},"replica":"one","build":"v1"}`

func TestEncodeKeepsTheFormThatLogsAreWrittenIn(t *testing.T) {
	l := audit.Leaf{
		Seq: 7, Replica: "one", Build: "v1",
		Event: audit.Event{
			At: began.Add(500 * time.Millisecond).In(time.FixedZone("KST", 9*3600)), Actor: audit.User("U024BE7LH", "T012AB3C4"),
			Action: audit.RemediationConfirmed, Outcome: audit.OutcomeDone, Request: "r-1", Version: 2, Source: "acme",
			Account: "222222222222", Key: "AKIA…WXYZ#0123456789abcdef", From: "requested", To: "approved",
			Reason: "said \"<go>\" & left\n", Approvers: []string{"U1", "U2"}, Snapshot: "abc", AWSRequest: "req",
			Detail: map[string]string{"b": "", "a": "1"},
		},
	}
	raw, err := audit.Encode(l)
	if err != nil {
		t.Fatal(err)
	}
	if string(raw) != golden {
		t.Errorf("canonical bytes changed:\n got %s\nwant %s", raw, golden)
	}
	if !json.Valid(raw) {
		t.Error("canonical bytes are not JSON")
	}
}
