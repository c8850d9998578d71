package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// script drives the workspace as the people in it do: through /control, which is what the page stands on. It asserts by
// what stands in Slack, in AWS and in the audit log, never by what the bot says of itself.
type script struct {
	base   string
	client *http.Client
	out    io.Writer
}

// patience is how long a step may take in real time. Slack takes one message a second, and nine days bring nine digests.
const patience = 4 * time.Minute

type slackState struct {
	Users    []slackUser    `json:"users"`
	Channels []slackChannel `json:"channels"`
	Views    []slackView    `json:"views"`
	Errors   []struct {
		User string `json:"user"`
		What string `json:"what"`
	} `json:"errors"`
}

type slackUser struct {
	ID     string `json:"id"`
	Locale string `json:"locale"`
}

type slackChannel struct {
	ID       string         `json:"id"`
	IsIM     bool           `json:"is_im"`
	User     string         `json:"user"`
	Messages []slackMessage `json:"messages"`
}

type slackMessage struct {
	TS        string           `json:"ts"`
	User      string           `json:"user"`
	Text      string           `json:"text"`
	Blocks    []map[string]any `json:"blocks"`
	ThreadTS  string           `json:"thread_ts"`
	Ephemeral string           `json:"ephemeral_to"`
	Pings     []any            `json:"pings"`
	channel   string
}

type slackView struct {
	ID       string            `json:"id"`
	User     string            `json:"user"`
	Callback string            `json:"callback_id"`
	Top      bool              `json:"top"`
	Blocks   []map[string]any  `json:"blocks"`
	Submit   map[string]any    `json:"submit"`
	Errors   map[string]string `json:"errors"`
	Metadata string            `json:"private_metadata"`
}

type awsState struct {
	Accounts []awsAccount `json:"accounts"`
}

type awsAccount struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Quarantined bool   `json:"quarantined"`
	Root        struct {
		MFA  []struct{ Serial, Kind string } `json:"mfa"`
		Keys []awsKey                        `json:"keys"`
	} `json:"root"`
}

type awsKey struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

type outcome struct {
	OK     bool              `json:"ok"`
	Error  string            `json:"error"`
	Errors map[string]string `json:"errors"`
}

// errRefused is a 4xx of the control API.
var errRefused = errors.New("refused")

func (sc *script) post(ctx context.Context, path string, body, into any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	return sc.call(ctx, http.MethodPost, path, bytes.NewReader(b), into)
}

func (sc *script) call(ctx context.Context, method, path string, body io.Reader, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, sc.base+path, body)
	if err != nil {
		return fmt.Errorf("ask %s: %w", path, err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := sc.client.Do(req)
	if err != nil {
		return fmt.Errorf("ask %s: %w", path, err)
	}
	defer res.Body.Close() //nolint:errcheck // It was read to its end, or the answer is lost anyway.
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", path, err)
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s answers %d %s", errRefused, path, res.StatusCode, strings.TrimSpace(string(b)))
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("read the answer of %s: %w", path, err)
	}
	return nil
}

func (sc *script) slack(ctx context.Context) (slackState, error) {
	var st slackState
	return st, sc.call(ctx, http.MethodGet, "/control/slack/state", nil, &st)
}

func (sc *script) account(ctx context.Context, id string) (awsAccount, error) {
	var st awsState
	if err := sc.call(ctx, http.MethodGet, "/control/aws/state?account="+id, nil, &st); err != nil {
		return awsAccount{}, err
	}
	for _, a := range st.Accounts {
		if a.ID == id {
			return a, nil
		}
	}
	return awsAccount{}, fmt.Errorf("AWS has no account %s", id)
}

func (a awsAccount) key(status string) awsKey {
	for _, k := range a.Root.Keys {
		if k.Status == status {
			return k
		}
	}
	return awsKey{}
}

// until waits for something to become so.
func (sc *script) until(ctx context.Context, what string, holds func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := holds(ctx)
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			if err != nil {
				return fmt.Errorf("it never came to be that %s: %w", what, err)
			}
			return fmt.Errorf("it never came to be that %s", what)
		case <-tick.C:
		}
	}
}

// advance moves the clock of both simulators and the bot.
func (sc *script) advance(ctx context.Context, d time.Duration) error {
	var done struct {
		Settled bool `json:"settled"`
	}
	if err := sc.post(ctx, "/control/clock", map[string]string{"advance": d.String()}, &done); err != nil {
		return err
	}
	if done.Settled {
		return nil
	}
	return sc.until(ctx, "the work that fell due is done", func(ctx context.Context) (bool, error) {
		err := sc.post(ctx, "/control/clock", map[string]string{"advance": "0s"}, &done)
		return done.Settled, err
	})
}

// days lets days pass. The clock itself goes day by day, because each day of a watch needs a reading of its own.
func (sc *script) days(ctx context.Context, n int) error {
	return sc.advance(ctx, time.Duration(n)*24*time.Hour)
}

// control is a button or a menu that stands in a message.
type control struct {
	slackMessage
	Action string
	Block  string
	Value  string
}

// find looks for a control by its action, in what the user sees, newest message first. The place narrows it to values that
// begin with it; the request ids of open steps are not known beforehand, so a message that names the account will do.
func (st slackState) find(user, action, account string) (control, bool) {
	for _, ch := range st.Channels {
		if ch.IsIM && ch.User != user {
			continue
		}
		for _, m := range slices.Backward(ch.Messages) {
			if m.Ephemeral != "" && m.Ephemeral != user || !m.names(account) {
				continue
			}
			m.channel = ch.ID
			if c, ok := m.control(action, account); ok {
				return c, true
			}
		}
	}
	return control{}, false
}

func (m slackMessage) names(account string) bool {
	b, err := json.Marshal(m.Blocks)
	return err == nil && (account == "" || strings.Contains(string(b), account) || strings.Contains(m.Text, account))
}

func (m slackMessage) control(action, account string) (control, bool) {
	for _, b := range m.Blocks {
		for _, e := range elements(b) {
			id, _ := e["action_id"].(string)
			value, _ := e["value"].(string)
			verb, _, _ := strings.Cut(id, ":")
			// A list or a digest has buttons of several accounts: theirs name the account, those of a card may name a request.
			elsewhere := strings.Count(value, "/") == 2 && !strings.Contains(value, account)
			if (id == action || verb == action) && !elsewhere {
				block, _ := b["block_id"].(string)
				return control{slackMessage: m, Action: id, Block: block, Value: value}, true
			}
		}
	}
	return control{}, false
}

func elements(block map[string]any) []map[string]any {
	var found []map[string]any
	list, _ := block["elements"].([]any)
	for _, e := range append(list, block["accessory"]) {
		if m, ok := e.(map[string]any); ok {
			found = append(found, m)
		}
	}
	return found
}

// press waits for a control to stand there and presses it.
func (sc *script) press(ctx context.Context, user, action, account string) error {
	return sc.pressOn(ctx, user, fmt.Sprintf("%s can press %s on %s", user, action, account), func(st slackState) (control, bool) {
		return st.find(user, action, account)
	})
}

// pressOn presses what find sees. A message that is drawn anew between the look and the press takes no press: nothing was
// sent then, and the eye looks again.
func (sc *script) pressOn(ctx context.Context, user, what string, find func(slackState) (control, bool)) error {
	var failed error
	err := sc.until(ctx, what, func(ctx context.Context) (bool, error) {
		st, err := sc.slack(ctx)
		if err != nil {
			return false, err
		}
		c, ok := find(st)
		if !ok {
			return false, nil
		}
		if err := sc.click(ctx, user, c, false); errors.Is(err, errRefused) {
			return false, err
		} else if err != nil {
			failed = err
		}
		return true, nil
	})
	return errors.Join(err, failed)
}

// click presses a control, also one that stands there no longer.
func (sc *script) click(ctx context.Context, user string, c control, force bool) error {
	body := map[string]any{"user": user, "channel": c.channel, "ts": c.TS, "action_id": c.Action, "block_id": c.Block}
	if force {
		body["force"], body["value"] = true, c.Value
	}
	var o outcome
	if err := sc.post(ctx, "/control/slack/click", body, &o); err != nil {
		return err
	}
	if !o.OK {
		return fmt.Errorf("%s pressed %s and saw %q", user, c.Action, o.Error)
	}
	return nil
}

// form waits for a modal that can be submitted and has read AWS: its fields may change when it has.
func (sc *script) form(ctx context.Context, user string) (slackView, error) {
	var v slackView
	err := sc.until(ctx, user+" has a form to fill in", func(ctx context.Context) (bool, error) {
		st, err := sc.slack(ctx)
		if err != nil {
			return false, err
		}
		for _, v = range st.Views {
			if v.User == user && v.Top && v.Submit != nil && (strings.Contains(v.Metadata, `"live":true`) || !strings.Contains(v.Metadata, `"account"`)) {
				return true, nil
			}
		}
		return false, nil
	})
	return v, err
}

// has reports whether the modal has a field.
func (v slackView) has(field string) bool {
	return slices.ContainsFunc(v.Blocks, func(b map[string]any) bool { return b["block_id"] == field })
}

// fill submits the modal with text by field, and returns the errors that stand under its fields then.
func (sc *script) fill(ctx context.Context, user string, fields map[string]string) (map[string]string, error) {
	v, err := sc.form(ctx, user)
	if err != nil {
		return nil, err
	}
	values := map[string]any{}
	for name, text := range fields {
		if !v.has(name) {
			continue
		}
		values[name] = map[string]any{name: map[string]string{"type": "plain_text_input", "value": text}}
	}
	var o outcome
	if err := sc.post(ctx, "/control/slack/submit", map[string]any{"user": user, "view_id": v.ID, "values": values}, &o); err != nil {
		return nil, err
	}
	if !o.OK && len(o.Errors) == 0 {
		return nil, fmt.Errorf("%s submitted %s and saw %q", user, v.Callback, o.Error)
	}
	if len(o.Errors) == 0 {
		return nil, sc.leave(ctx, user)
	}
	return o.Errors, nil
}

// leave closes whatever modal is open.
func (sc *script) leave(ctx context.Context, user string) error {
	st, err := sc.slack(ctx)
	if err != nil {
		return err
	}
	for _, v := range slices.Backward(st.Views) {
		if v.User != user {
			continue
		}
		if err := sc.post(ctx, "/control/slack/close", map[string]any{"user": user, "view_id": v.ID, "all": true}, nil); err != nil && !errors.Is(err, errRefused) {
			return err
		}
	}
	return nil
}

func (sc *script) command(ctx context.Context, user, channel, text string) error {
	var o outcome
	if err := sc.post(ctx, "/control/slack/command", map[string]string{"user": user, "channel": channel, "command": "/rootcheck", "text": text}, &o); err != nil {
		return err
	}
	if !o.OK {
		return fmt.Errorf("%s typed /rootcheck %s and saw %q", user, text, o.Error)
	}
	return nil
}
