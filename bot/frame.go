package bot

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/slack-go/slack"
)

// This file reads what comes over a socket, as far as it must be known before the acknowledgement. The rules are:
//   - A frame is checked once, in one pass, and what is committed of it is copied once. A click carries the whole message
//     that it was made on, and in a storm each further look at it costs the others their three seconds.
//   - What the payload means is read after the acknowledgement, from the store.

// frame is one message of Slack's on a socket. Its payload is good until the next is read.
type frame struct {
	kind    string // its type: hello, disconnect, or the kind of an envelope
	id      string // of an envelope; empty for the socket's own affairs
	reason  string // of a disconnect
	open    int    // of a hello: how many connections the app has
	app     string // of a hello: the app's id
	payload []byte // of an envelope; empty where there is none that is an object
}

var errNoFrame = errors.New("it is not a JSON object")

func openFrame(data []byte) (frame, error) {
	var f frame
	if !json.Valid(data) || !isObject(data) {
		return f, errNoFrame
	}
	for m := range members(data) {
		switch m.name {
		case "type":
			f.kind = text(m.value)
		case "envelope_id":
			f.id = text(m.value)
		case "reason":
			f.reason = text(m.value)
		case "num_connections":
			if json.Unmarshal(m.value, &f.open) != nil {
				f.open = 0
			}
		case "connection_info":
			for m := range members(m.value) {
				if m.name == "app_id" {
					f.app = text(m.value)
				}
			}
		case "payload":
			f.payload = nil
			if isObject(m.value) {
				f.payload = m.value
			}
		}
	}
	return f, nil
}

// parcel is what an envelope is known by before it is committed.
type parcel struct {
	key        string // names what was delivered, apart from how: Slack may deliver one click or event in several envelopes
	submission bool   // it is a modal's, whose acknowledgement carries the answer
}

func (f frame) parcel() parcel {
	var kind, trigger, event, stamp string
	for m := range members(f.payload) {
		switch m.name {
		case "type":
			kind = text(m.value)
		case "trigger_id":
			trigger = text(m.value)
		case "event_id":
			event = text(m.value)
		case "actions":
			var actions []struct {
				TS string `json:"action_ts"`
			}
			if json.Unmarshal(m.value, &actions) == nil && len(actions) > 0 {
				stamp = "/" + actions[0].TS
			}
		}
	}
	var key string
	switch {
	case event != "":
		key = "slack/event/" + event
	case trigger != "" && stamp != "":
		key = "slack/click/" + trigger + stamp
	case trigger != "":
		key = "slack/" + f.kind + "/" + kind + "/" + trigger
	default:
		key = "slack/envelope/" + f.id
	}
	const longest = 255 // Slack's own are shorter; a database need not keep what somebody else makes up
	if len(key) > longest || strings.ContainsRune(key, 0) {
		sum := sha256.Sum256([]byte(key))
		key = "slack/sum/" + hex.EncodeToString(sum[:])
	}
	return parcel{key: key, submission: kind == string(slack.InteractionTypeViewSubmission)}
}

// sealed is what is committed of an envelope: its payload as Slack sent it, less the legacy verification token, which
// proves nothing here and is a secret elsewhere, and less the message that was clicked. That is a view of what the store
// knows better, and four fifths of a click.
func (f frame) sealed(key string, at time.Time) ([]byte, error) {
	head, err := json.Marshal(envelope{Key: key, Type: f.kind, At: at})
	if err != nil {
		return nil, fmt.Errorf("encode an envelope: %w", err)
	}
	body := append(make([]byte, 0, len(head)+1024), bytes.TrimSuffix(head, []byte("null}"))...)
	between := byte('{')
	for m := range members(f.payload) {
		if m.name != "token" && m.name != "message" {
			body = append(append(body, between), m.whole...)
			between = ','
		}
	}
	if between == '{' {
		body = append(body, between)
	}
	return append(body, "}}"...), nil
}

// member is one of an object's, as it stands in the text.
type member struct {
	name  string
	whole []byte // name and value
	value []byte
}

func isObject(value []byte) bool {
	at := blank(value, 0)
	return at < len(value) && value[at] == '{'
}

// members are those of an object in their order, and none of anything else. The text must be valid JSON.
func members(object []byte) iter.Seq[member] {
	return func(yield func(member) bool) {
		if !isObject(object) {
			return
		}
		for at := blank(object, blank(object, 0)+1); at < len(object) && object[at] == '"'; at = blank(object, at) {
			named := pastString(object, at)
			value := blank(object, blank(object, named)+1) // after the colon
			end := pastValue(object, value)
			if !yield(member{name: text(object[at:named]), whole: object[at:end], value: object[value:end]}) {
				return
			}
			if at = blank(object, end); at < len(object) && object[at] == ',' {
				at++
			}
		}
	}
}

// blank is the place of the first byte at or after one that is no white space.
func blank(s []byte, at int) int {
	for at < len(s) && (s[at] == ' ' || s[at] == '\n' || s[at] == '\t' || s[at] == '\r') {
		at++
	}
	return at
}

// pastString is the place after the string that begins at one.
func pastString(s []byte, at int) int {
	for at++; at < len(s); at++ {
		n := bytes.IndexByte(s[at:], '"')
		if n < 0 {
			break
		}
		at += n
		escapes := 0
		for s[at-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return at + 1
		}
	}
	return len(s)
}

// pastValue is the place after the value that begins at one.
func pastValue(s []byte, at int) int {
	for depth := 0; at < len(s); {
		switch s[at] {
		case '"':
			at = pastString(s, at)
		case '{', '[':
			depth++
			at++
		case '}', ']':
			if depth == 0 {
				return at // the end of what a number or a word stands in
			}
			depth--
			at++
		case ',', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return at
			}
			at++
			continue
		default:
			at++
			continue
		}
		if depth == 0 {
			return at
		}
	}
	return at
}

// text is a JSON string's content, and "" of anything else.
func text(value []byte) string {
	if len(value) < 2 || value[0] != '"' {
		return ""
	}
	plain := true
	for _, c := range value {
		plain = plain && c != '\\' && c >= ' ' && c < 0x80
	}
	if plain {
		return string(value[1 : len(value)-1])
	}
	var s string
	if json.Unmarshal(value, &s) != nil {
		return ""
	}
	return s
}
