package slacksim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Outcome is what a person saw of something they did.
type Outcome struct {
	// OK is true when the app acknowledged in time and Slack could do what it answered.
	OK    bool `json:"ok"`
	Acked bool `json:"acked"`
	// Sent is false when the act stayed on the person's screen, such as typing into a field.
	Sent       bool            `json:"sent"`
	EnvelopeID string          `json:"envelope_id,omitempty"`
	TriggerID  string          `json:"trigger_id,omitempty"`
	Response   json.RawMessage `json:"response"`
	// Error is the error the person saw, "" for none.
	Error string `json:"error,omitempty"`
	// Errors stand under the input blocks of a view, by block id.
	Errors map[string]string `json:"errors,omitempty"`
}

// RefusedError is an act that the screen would not have let the person do. Nothing was sent.
type RefusedError struct {
	// Status is the HTTP status of the control API.
	Status int
	Why    string
	// Errors stand under input blocks that the client itself checks.
	Errors map[string]string
}

// Error says why.
func (e *RefusedError) Error() string { return e.Why }

func refuse(status int, format string, args ...any) *RefusedError {
	return &RefusedError{Status: status, Why: fmt.Sprintf(format, args...)}
}

// CommandRequest is a person typing a slash command.
type CommandRequest struct {
	User, Channel, Command, Text string
	Force                        bool
}

// Command sends a slash command and waits for its acknowledgement. One that no app declares reaches none: Slackbot tells
// the person so, and Outcome.Error has the sentence.
func (w *Workspace) Command(r CommandRequest) (Outcome, error) {
	w.mu.Lock()
	u, ch, err := w.actor(r.User, r.Channel, r.Force)
	if err == nil && !strings.HasPrefix(r.Command, "/") {
		err = refuse(http.StatusBadRequest, "a command begins with a slash")
	}
	if err != nil {
		w.mu.Unlock()
		return Outcome{}, err
	}
	if !slices.Contains(w.cfg.Commands, r.Command) {
		defer w.mu.Unlock()
		return w.unknownCommand(u.ID, ch, r.Command), nil
	}
	name := ch.Name
	switch {
	case ch.im:
		name = "directmessage"
	case ch.Private:
		name = "privategroup"
	}
	trigger := w.newTrigger(u.ID, "")
	e := w.deliver("slash_commands", u.ID, true, obj{
		"token": "simulated", "team_id": TeamID, "team_domain": TeamDomain, "channel_id": ch.ID, "channel_name": name,
		"user_id": u.ID, "user_name": u.Name, "command": r.Command, "text": w.escaped(r.Text), "api_app_id": AppID,
		"is_enterprise_install": "false", "response_url": w.newHook("commands", u.ID, ch, nil), "trigger_id": trigger,
	})
	e.onAck = func(payload json.RawMessage) { w.commandAnswered(e, u.ID, ch, payload) }
	e.onLost = func() {
		w.fails(e, r.Command+" failed because the app did not respond.")
	}
	w.dispatch(e)
	w.mu.Unlock()
	return w.await(e, trigger), nil
}

// unknownCommand has Slackbot answer as Slack does. The caller holds mu.
func (w *Workspace) unknownCommand(user string, ch *channel, command string) Outcome {
	why := command + " is not a valid command."
	m := w.newMessage(slackbotID, content{
		text: why + " In Slack, all messages that start with the “/” character are interpreted as commands.\n\n" +
			"If you are trying to send a message and not run a command, try preceding the “/” with an empty space.",
	})
	m.ephemeral = user
	ch.add(m)
	w.touch()
	return Outcome{Error: why}
}

// escaped turns "@ana" and "#general" into "<@U…|ana>" and "<#C…|general>", as Slack does for a
// command whose manifest says should_escape; names nobody has stay as they are. The caller holds mu.
func (w *Workspace) escaped(text string) string {
	if w.cfg.KeepCommandText {
		return text
	}
	return names.ReplaceAllStringFunc(text, func(word string) string {
		if u := w.findUser(word); word[0] == '@' && u != nil {
			return "<@" + u.ID + "|" + u.Name + ">"
		}
		for _, id := range w.groupOrder {
			if g := w.groups[id]; word == "@"+g.Handle {
				return "<!subteam^" + id + "|@" + g.Handle + ">"
			}
		}
		if ch := w.findChannel(word); word[0] == '#' && ch != nil {
			return "<#" + ch.ID + "|" + ch.Name + ">"
		}
		return word
	})
}

var names = regexp.MustCompile(`[@#][a-z0-9][a-z0-9._-]*`)

// commandAnswered posts the message in the acknowledgement of a slash command. The caller holds mu.
func (w *Workspace) commandAnswered(e *envelope, user string, ch *channel, payload json.RawMessage) {
	var args map[string]any
	if len(payload) == 0 || json.Unmarshal(payload, &args) != nil || len(args) == 0 {
		return
	}
	c := &call{args: args}
	in, apiErr := w.readContent(c)
	if apiErr != nil {
		w.fails(e, "the app's answer could not be shown: "+describe(apiErr))
		return
	}
	if in.text == "" && len(in.blocks) == 0 && in.attach == nil {
		return
	}
	m := w.newMessage(BotUserID, in)
	if c.str("response_type") != "in_channel" {
		m.ephemeral = user
	}
	ch.add(m)
	w.touch()
}

func describe(e *apiError) string {
	if messages, ok := e.extra["errors"].([]string); ok {
		return e.code + ": " + strings.Join(messages, "; ")
	}
	return e.code
}

// fails notes that the person of e sees an error. The caller holds mu.
func (w *Workspace) fails(e *envelope, what string) {
	e.problem = what
	w.userSees(e.user, what)
}

// actor resolves who acts where, and refuses what the client would not show them. The caller holds mu.
func (w *Workspace) actor(user, ref string, force bool) (*User, *channel, error) {
	u, err := w.person(user, force)
	if err != nil {
		return nil, nil, err
	}
	ch := w.findChannel(ref)
	switch {
	case ch == nil && w.users[ref] != nil && w.users[ref].Bot:
		return u, w.dm(u.ID), nil
	case ch == nil:
		return nil, nil, refuse(http.StatusNotFound, "there is no channel %q", ref)
	case force:
	case !ch.members[u.ID]:
		return nil, nil, refuse(http.StatusForbidden, "%s is not in %s", u.Name, ch.ID)
	case ch.Archived:
		return nil, nil, refuse(http.StatusForbidden, "%s is archived", ch.ID)
	}
	return u, ch, nil
}

// person resolves who acts. The caller holds mu.
func (w *Workspace) person(user string, force bool) (*User, error) {
	u := w.findUser(user)
	switch {
	case u == nil:
		return nil, refuse(http.StatusNotFound, "there is no user %q", user)
	case force:
	case u.Deleted:
		return nil, refuse(http.StatusForbidden, "%s is deactivated", u.Name)
	case u.Bot:
		return nil, refuse(http.StatusForbidden, "%s is a bot", u.Name)
	}
	return u, nil
}

// await waits until e was acknowledged or given up, and tells what the person saw.
func (w *Workspace) await(e *envelope, trigger string) Outcome {
	select {
	case <-e.finished:
	case <-w.done:
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	out := Outcome{
		Acked: e.state == envelopeAcked, Sent: true, EnvelopeID: e.id, TriggerID: trigger,
		Response: e.answer, Error: e.problem, Errors: e.fields,
	}
	out.OK = out.Acked && out.Error == "" && len(out.Errors) == 0
	return out
}

// userPayload is the user object of interaction payloads.
func userPayload(u *User) obj {
	return obj{"id": u.ID, "username": u.Name, "name": u.Name, "team_id": u.TeamID}
}

// interaction is the part that all interactive payloads share.
func interaction(kind string, u *User, trigger string) obj {
	return obj{
		"type": kind, "user": userPayload(u), "api_app_id": AppID, "token": "simulated", "trigger_id": trigger,
		"team": obj{"id": TeamID, "domain": TeamDomain}, "enterprise": nil, "is_enterprise_install": false,
	}
}
