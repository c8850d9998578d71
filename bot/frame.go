package bot

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/slack-go/slack"
	"github.com/tidwall/gjson"
)

// This file reads what comes over a socket, as far as it must be known before the acknowledgement. The rules are:
//   - A frame is checked once, in one pass, and what is committed of it is copied once. A click carries the whole message
//     that it was made on, and in a storm each further look at it costs the others their three seconds.
//   - What the payload means is read after the acknowledgement, from the store.

// frame is one message of Slack's on a socket.
type frame struct {
	kind    string       // its type: hello, disconnect, or the kind of an envelope
	id      string       // of an envelope; empty for the socket's own affairs
	reason  string       // of a disconnect
	open    int          // of a hello: how many connections the app has
	app     string       // of a hello: the app's id
	payload gjson.Result // of an envelope; not an object where it has none that can be read
}

var errNoFrame = errors.New("it is not a JSON object")

func openFrame(data []byte) (frame, error) {
	var f frame
	if !json.Valid(data) {
		return f, errNoFrame
	}
	whole := gjson.ParseBytes(data)
	if !whole.IsObject() {
		return f, errNoFrame
	}
	whole.ForEach(func(name, value gjson.Result) bool {
		switch text(name) {
		case "type":
			f.kind = text(value)
		case "envelope_id":
			f.id = text(value)
		case "reason":
			f.reason = text(value)
		case "num_connections":
			f.open = int(value.Int())
		case "connection_info":
			f.app = text(value.Get("app_id"))
		case "payload":
			f.payload = value
		}
		return true
	})
	return f, nil
}

// parcel is what an envelope is known by before it is committed.
type parcel struct {
	key        string // names what was delivered, apart from how: Slack may deliver one click or event in several envelopes
	submission bool   // it is a modal's, whose acknowledgement carries the answer
}

func (f frame) parcel() parcel {
	var kind, trigger, event, stamp string
	f.payload.ForEach(func(name, value gjson.Result) bool {
		switch text(name) {
		case "type":
			kind = text(value)
		case "trigger_id":
			trigger = text(value)
		case "event_id":
			event = text(value)
		case "actions":
			if at := text(value.Get("0.action_ts")); at != "" {
				stamp = "/" + at
			}
		}
		return true
	})
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
	f.payload.ForEach(func(name, value gjson.Result) bool {
		if n := text(name); n != "token" && n != "message" {
			body = append(append(body, between), name.Raw...)
			body = append(append(body, ':'), value.Raw...)
			between = ','
		}
		return true
	})
	if between == '{' {
		body = append(body, between)
	}
	return append(body, "}}"...), nil
}

// text is a JSON string's content, and "" of anything else. What is escaped is left to encoding/json, whose reading of halves
// of characters is the one that the payload meets later.
func text(v gjson.Result) string {
	switch {
	case v.Type != gjson.String:
		return ""
	case !strings.Contains(v.Raw, `\`) && utf8.ValidString(v.Raw):
		return v.Str
	}
	var s string
	if json.Unmarshal([]byte(v.Raw), &s) != nil {
		return ""
	}
	return s
}
