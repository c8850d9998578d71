package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// maxRecord bounds one record, in bytes. A Slack text input holds 3,000 characters, so an honest record stays far below.
const maxRecord = 64 << 10

// ErrNotCanonical is wrapped by every error of [Decode]: the bytes are not a record as this package writes it.
var ErrNotCanonical = errors.New("not a canonical record")

// Encode returns the canonical bytes of l: the bytes that are hashed, stored and exported, and from which nothing is ever
// encoded anew. They are JSON in one line, with the fields in the order of the struct, empty ones left out, the keys of
// Detail sorted by their bytes, times in UTC as RFC 3339 with as many digits as needed, and strings escaped as RFC 8785
// (https://www.rfc-editor.org/rfc/rfc8785#section-3.2.2.2) does: no HTML escapes.
//
// The event is recorded as [Event.Normal] gives it. An error means that it cannot be recorded, and hence that what it
// speaks of must not be done.
func Encode(l Leaf) ([]byte, error) {
	l = l.Normal()
	if l.Seq < 0 {
		return nil, fmt.Errorf("record %s: negative sequence number %d", l.Action, l.Seq)
	}
	if err := l.form(); err != nil {
		return nil, err
	}
	raw := l.append(make([]byte, 0, 512))
	if len(raw) > maxRecord {
		return nil, fmt.Errorf("record %s: %d bytes are more than a record's %d", l.Action, len(raw), maxRecord)
	}
	return raw, nil
}

// Normal is [Event.Normal], for the leaf's own fields too.
func (l Leaf) Normal() Leaf {
	l.Event = l.Event.Normal()
	l.Replica, l.Build = clean(l.Replica), clean(l.Build)
	return l
}

func (l Leaf) append(b []byte) []byte {
	b = append(b, `{"seq":`...)
	b = strconv.AppendInt(b, l.Seq, 10)
	b = append(b, `,"at":"`...)
	b = l.At.AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","actor":{"kind":`...)
	b = appendString(b, l.Actor.Kind)
	b = appendField(b, "id", l.Actor.ID)
	b = appendField(b, "team", l.Actor.Team)
	b = append(b, '}')
	b = appendField(b, "action", string(l.Action))
	b = appendField(b, "outcome", string(l.Outcome))
	b = appendField(b, "request", l.Request)
	if l.Version != 0 {
		b = append(b, `,"version":`...)
		b = strconv.AppendInt(b, int64(l.Version), 10)
	}
	b = appendField(b, "source", l.Source)
	b = appendField(b, "account", l.Account)
	b = appendField(b, "key", l.Key)
	b = appendField(b, "from", l.From)
	b = appendField(b, "to", l.To)
	b = appendField(b, "reason", l.Reason)
	for i, id := range l.Approvers {
		b = append(b, either(i == 0, `,"approvers":[`, ",")...)
		b = appendString(b, id)
	}
	if len(l.Approvers) > 0 {
		b = append(b, ']')
	}
	b = appendField(b, "snapshot", l.Snapshot)
	b = appendField(b, "aws_request", l.AWSRequest)
	for i, k := range slices.Sorted(maps.Keys(l.Detail)) {
		b = append(b, either(i == 0, `,"detail":{`, ",")...)
		b = appendString(b, k)
		b = append(b, ':')
		b = appendString(b, l.Detail[k])
	}
	if len(l.Detail) > 0 {
		b = append(b, '}')
	}
	b = appendField(b, "replica", l.Replica)
	b = appendField(b, "build", l.Build)
	return append(b, '}')
}

func appendField(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return appendString(b, value)
}

func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c >= 0x20:
			b = append(b, c)
		case c == '\b':
			b = append(b, `\b`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\f':
			b = append(b, `\f`...)
		case c == '\r':
			b = append(b, `\r`...)
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(b, '"')
}

func either(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

// wire is a record as JSON names its fields.
type wire struct {
	Seq        int64             `json:"seq"`
	At         time.Time         `json:"at"`
	Actor      wireActor         `json:"actor"`
	Action     Action            `json:"action"`
	Outcome    Outcome           `json:"outcome"`
	Request    string            `json:"request"`
	Version    int               `json:"version"`
	Source     string            `json:"source"`
	Account    string            `json:"account"`
	Key        string            `json:"key"`
	From       string            `json:"from"`
	To         string            `json:"to"`
	Reason     string            `json:"reason"`
	Approvers  []string          `json:"approvers"`
	Snapshot   string            `json:"snapshot"`
	AWSRequest string            `json:"aws_request"`
	Detail     map[string]string `json:"detail"`
	Replica    string            `json:"replica"`
	Build      string            `json:"build"`
}

type wireActor struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	Team string `json:"team"`
}

// Decode reads the bytes that [Encode] wrote, and only those: whatever would not encode to the very same bytes is refused
// with an error that wraps [ErrNotCanonical]. An action that this version does not know is no reason to refuse; a field
// that it does not know is.
func Decode(raw []byte) (Leaf, error) {
	if len(raw) > maxRecord {
		return Leaf{}, fmt.Errorf("decode record of %d bytes: %w: too long", len(raw), ErrNotCanonical)
	}
	// encoding/json would replace invalid UTF-8 and so name the wrong cause.
	if !utf8.Valid(raw) {
		return Leaf{}, fmt.Errorf("decode record: %w: not UTF-8", ErrNotCanonical)
	}

	// What encoding/json lets pass, unknown and repeated fields among it, does not encode to the same bytes again.
	var w wire
	if err := json.Unmarshal(raw, &w); err != nil {
		return Leaf{}, fmt.Errorf("decode record: %w: %w", ErrNotCanonical, err)
	}

	l := Leaf{
		Seq: w.Seq, Replica: w.Replica, Build: w.Build,
		Event: Event{
			At: w.At, Actor: Actor(w.Actor), Action: w.Action, Outcome: w.Outcome, Request: w.Request, Version: w.Version,
			Source: w.Source, Account: w.Account, Key: w.Key, From: w.From, To: w.To, Reason: w.Reason,
			Approvers: w.Approvers, Snapshot: w.Snapshot, AWSRequest: w.AWSRequest, Detail: w.Detail,
		},
	}
	l = l.Normal()
	if err := l.form(); err != nil {
		return Leaf{}, fmt.Errorf("decode record: %w: %w", ErrNotCanonical, err)
	}
	if l.Seq < 0 || !bytes.Equal(l.append(make([]byte, 0, len(raw))), raw) {
		return Leaf{}, fmt.Errorf("decode record %d: %w", l.Seq, ErrNotCanonical)
	}
	return l, nil
}
