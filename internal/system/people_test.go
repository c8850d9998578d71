package system_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/remediation"
	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
)

// The people who click. Whoever may confirm may also ask.
const (
	ana = slacksim.UserAna // may only ask
	ben = slacksim.UserBen
	cho = slacksim.UserCho
)

// deed is something that a person did and that decides something. What the bot owes them for it is a record.
type deed struct {
	user    string
	action  audit.Action // the record that it makes when it is granted
	request remediation.RequestID
	version int // of the request, as the button has it
	account string
	reason  string // names the deed in its record; empty where people type none
	sent    time.Time
	acked   bool
	refused bool // it was answered with an error under a field
	answer  string
}

// books are all deeds, as the people remember them.
type books struct {
	mu    sync.Mutex
	deeds []deed
}

func (b *books) add(d deed) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deeds = append(b.deeds, d)
}

func (b *books) all() []deed {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.deeds)
}

// anchored waits until a message of the bot's stands in the channel. The bot takes clicks on messages that it knows; which
// of them a button stands on makes no difference.
func (w *world) anchored() {
	w.t.Helper()
	w.until(time.Minute, "a card stands in the channel", func() bool {
		for _, c := range w.state(10).Channels {
			for _, m := range c.Messages {
				if c.ID == slacksim.ChannelRoot && m.User == slacksim.BotUserID && m.Ephemeral == "" && len(m.Blocks) > 0 {
					w.anchor = m.TS
					return true
				}
			}
		}
		return false
	})
}

// click presses a button that a card has, or had: a value is only a claim.
func (w *world) click(user, action, value string) slacksim.Outcome {
	raw, err := json.Marshal(value)
	if err != nil {
		return slacksim.Outcome{}
	}
	o, err := w.slack.Click(slacksim.ClickRequest{
		User: user, Channel: slacksim.ChannelRoot, TS: w.anchor, ActionID: action, BlockID: "b", Value: raw, Force: true,
	})
	if err != nil {
		w.t.Errorf("%s cannot press %s: %v", user, action, err)
	}
	return o
}

// form is the modal that a click opened, once it has read AWS. There is none when the bot was killed meanwhile.
func (w *world) form(user string) (view, bool) {
	var found view
	opened := soon(4*time.Second, func() bool {
		for _, v := range w.state(1).Views {
			if v.User == user && v.Top && (v.Submit != nil && strings.Contains(v.Metadata, `"live":true`) || v.Callback == "form.notice" && v.Metadata == "{}") {
				found = v
				return true
			}
		}
		return w.slack.Connections() == 0
	})
	return found, opened && found.Submit != nil
}

// leave closes whatever is open on a person's screen.
func (w *world) leave(user string) {
	for _, v := range w.state(1).Views {
		if v.User == user && v.Top {
			_, _ = w.slack.CloseView(user, v.ID, true) // it may have gone by itself meanwhile
		}
	}
}

// submit fills in the fields that the modal has and sends it.
func (w *world) submit(v view, fields map[string]string) (slacksim.Outcome, error) {
	values := map[string]map[string]json.RawMessage{}
	for name, text := range fields {
		if raw, err := json.Marshal(text); err == nil && v.has(name) {
			values[name] = map[string]json.RawMessage{name: raw}
		}
	}
	return w.slack.Submit(slacksim.SubmitRequest{User: v.User, ViewID: v.ID, Values: values})
}

// decide goes the whole way of a decision that has a form, and writes it into the books.
func (w *world) decide(b *books, d deed, press, value string, fields map[string]string) deed {
	defer w.leave(d.user)
	if o := w.click(d.user, press, value); !o.Acked {
		return d
	}
	v, opened := w.form(d.user)
	// After a crash the form of an earlier click may open late. Nobody fills in what they did not ask for.
	asked := v.Callback == "form."+strings.TrimPrefix(press, "remediation.") &&
		(strings.Contains(v.Metadata, d.account) || d.request != "" && strings.Contains(v.Metadata, string(d.request)))
	if !opened || !asked {
		return d
	}
	if d.reason != "" {
		fields["reason"] = d.reason
	}
	d.sent = w.clock.Now()
	o, err := w.submit(v, fields)
	if err != nil {
		return d // the modal was closed or its fields are not filled in: nothing was sent
	}
	d.acked, d.refused, d.answer = o.Acked, len(o.Errors) > 0, string(o.Response)
	b.add(d)
	return d
}

// order gives the organization an order, as its page does.
func (w *world) order(path string, body, into any) {
	w.t.Helper()
	raw, err := json.Marshal(body)
	ok(w.t, err)
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "http://localhost/control/aws/"+path, bytes.NewReader(raw))
	r.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	w.aws.Control().ServeHTTP(answer, r)
	if answer.Code != http.StatusOK {
		w.t.Fatalf("the organization refused %s: %s", path, answer.Body)
	}
	if into != nil {
		ok(w.t, json.Unmarshal(answer.Body.Bytes(), into))
	}
}

func step(r remediation.Request) string { return fmt.Sprintf("%s|%d", r.ID, r.Version) }

func last4(id string) string { return id[max(0, len(id)-4):] }
