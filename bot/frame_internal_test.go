package bot

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// FuzzAFrameIsReadAsJSON holds the reader against encoding/json, which knows the same of each frame and needs several looks.
func FuzzAFrameIsReadAsJSON(f *testing.F) {
	for _, seed := range []string{
		`{"envelope_id":"e1","type":"interactive","payload":{"type":"block_actions","token":"s","trigger_id":"1.2","actions":[{"action_ts":"3.4"}]}}`,
		`{"type":"hello","num_connections":2,"connection_info":{"app_id":"A1"}}`,
		`{"type":"disconnect","reason":"warning","debug_info":{"host":"x"}}`,
		` { "envelope_id" : "e\"1\\" , "payload" : { "to\u006ben" : { "token" : [ 1 , {} , "}" ] } , "event_id" : "\ud83d\ude00" , "n" : -1.5e3 , "t" : true } , "type" : null } `,
		`{"payload":{"token":1,"token":2},"payload":{},"envelope_id":{"a":"b"},"type":"slash_commands"}`,
		`{"payload":{"a":0},"payload":""}`, `{"payload":"text"}`, `{"payload":null,"envelope_id":"x"}`, `[]`, `{}`, `{"":""}`, `not even JSON`, `{"a":1,}`, ``,
		`{"envelope_id":"` + strings.Repeat("long ", 200) + "\x7f" + `"}`, "{\"type\":\"a\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := openFrame(data)
		var want map[string]json.RawMessage
		if json.Unmarshal(data, &want) != nil || want == nil {
			if err == nil {
				t.Fatalf("%q was taken for an object", data)
			}
			return
		}
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		said := func(o map[string]json.RawMessage, name string) (s string) {
			if json.Unmarshal(o[name], &s) != nil {
				return ""
			}
			return s
		}
		if got.id != said(want, "envelope_id") || got.kind != said(want, "type") || got.reason != said(want, "reason") {
			t.Errorf("%q was read as %+v", data, got)
		}
		var payload map[string]json.RawMessage
		if json.Unmarshal(want["payload"], &payload) != nil {
			payload = nil
		}
		if !got.payload.IsObject() {
			if payload != nil {
				t.Errorf("%q: the payload was not seen", data)
			}
			return
		}
		p := got.parcel()
		if p.submission != (said(payload, "type") == "view_submission") || p.key == "" || len(p.key) > 255 || strings.Contains(p.key, "\x00") {
			t.Errorf("%q is known as %+v", data, p)
		}
		sealed(t, got, p.key, payload)
	})
}

// sealed checks that what is committed is the payload as it came, less the token and the message.
func sealed(t *testing.T, f frame, key string, payload map[string]json.RawMessage) {
	t.Helper()
	at := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	body, err := f.sealed(key, at)
	if err != nil {
		t.Fatal(err)
	}
	var kept struct {
		Key, Type string
		At        time.Time
		Payload   map[string]json.RawMessage
	}
	if err := json.Unmarshal(body, &kept); err != nil {
		t.Fatalf("%q cannot be read again: %v", body, err)
	}
	delete(payload, "token")
	delete(payload, "message")
	if kept.Key != key || kept.Type != f.kind || !kept.At.Equal(at) {
		t.Errorf("%q was kept as %+v", f.payload.Raw, kept)
	}
	if diff := cmp.Diff(payload, kept.Payload); diff != "" {
		t.Errorf("the payload changed:\n%s", diff)
	}
}

func TestTheSameClickHasOneNameHoweverItIsDelivered(t *testing.T) {
	t.Parallel()
	name := func(envelope, kind, payload string) string {
		t.Helper()
		f, err := openFrame([]byte(`{"envelope_id":"` + envelope + `","type":"` + kind + `","payload":` + payload + `}`))
		if err != nil {
			t.Fatal(err)
		}
		return f.parcel().key
	}
	click := `{"type":"block_actions","trigger_id":"1.2","actions":[{"action_ts":"3.4"}]}`
	if a, b := name("e1", "interactive", click), name("e2", "interactive", click); a != b {
		t.Errorf("one click is known as %s and %s", a, b)
	}
	seen := map[string]string{}
	for _, payload := range []string{
		click, `{"type":"block_actions","trigger_id":"1.2","actions":[{"action_ts":"3.5"}]}`, `{"type":"view_submission","trigger_id":"1.2"}`,
		`{"event_id":"Ev1"}`, `{"event_id":"Ev2"}`, `{}`, `{"event_id":"` + strings.Repeat("x", 300) + `"}`, `{"event_id":"` + strings.Repeat("x", 301) + `"}`,
		`{"event_id":"a\u0000b"}`,
	} {
		key := name("e1", "interactive", payload)
		if other, known := seen[key]; known {
			t.Errorf("%s and %s have one name", payload, other)
		}
		seen[key] = payload
	}
}

func BenchmarkAnEnvelopeOfFourKilobytesOnItsWayIn(b *testing.B) {
	block := `{"type":"section","block_id":"b","text":{"type":"mrkdwn","text":"*Payments* \"222222222222\" has a root access key","verbatim":false}},`
	data := []byte(`{"envelope_id":"dbdd0ef3-1543-4f94-bfb4-133d0e6c1545","type":"interactive","payload":{"type":"block_actions","token":"x",` +
		`"trigger_id":"1.2.3","message":{"blocks":[` + strings.Repeat(block, 30) + `{}]},"actions":[{"action_id":"a","action_ts":"1.2"}]}}`)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		f, err := openFrame(data)
		if err != nil {
			b.Fatal(err)
		}
		body, err := f.sealed(f.parcel().key, time.Time{})
		if err != nil || bytes.Contains(body, []byte(`"token"`)) || bytes.Contains(body, []byte("Payments")) {
			b.Fatalf("%v: %s", err, body)
		}
	}
}
