package bot

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// refusal says why something was not done, with a next step. An error that is no refusal is a failure: the person gets an
// id that finds it in the log, and nothing of the error itself.
func refusal(v voice, err error, logID string) string {
	code, args := commands.InternalTrouble, map[string]string{"id": logID}
	var refused *commands.Refusal
	var machine *remediation.Refusal
	switch {
	case errors.As(err, &refused):
		code, args = refused.Code, refused.Args
	case errors.As(err, &machine):
		code, args = commands.RefusalCode(machine.Code), map[string]string{"by": machine.By, "state": string(machine.State)}
	}
	id := "refusal." + string(code)
	if !v.has(id) {
		id = "refusal.unknown"
	}
	return v.say(id, refusalArgs(v, args))
}

// refusalArgs makes the arguments of a refusal fit to be shown: people as mentions, states and reasons as words.
func refusalArgs(v voice, args map[string]string) arg {
	data := arg{
		"By": "", "When": "", "State": "", "Nearest": "", "Group": "", "Wait": "", "Reason": "", "ID": "", "Until": "", "Why": "", "Request": "",
		"Choices": "", "Owner": "", "Who": " " + v.say("refusal.who.nobody"),
	}
	for _, k := range slices.Sorted(maps.Keys(args)) {
		s := args[k]
		name := strings.ToUpper(k[:min(1, len(k))]) + k[min(1, len(k)):]
		switch {
		case s == "":
		case k == "by":
			data["By"] = " " + v.say("refusal.by", arg{"By": user(s)})
		case k == "owner":
			data["Owner"] = user(s)
		case k == "id":
			data["ID"] = outside(s, 60).mrkdwn()
		case k == "state":
			data["State"] = v.say("state." + s)
		case k == "nearest":
			data["Nearest"] = " " + v.say("refusal.nearest", arg{"Nearest": outside(s, 60)})
		case k == "who":
			data["Who"] = " " + v.say("refusal.who", arg{"Who": people(v, strings.Fields(s))})
		case k == "choices":
			data["Choices"] = choices(v, strings.Fields(s))
		case k == "group" && slackID(s, "S"):
			data["Group"] = "`" + s + "`"
		case k == "reason":
			data["Reason"] = gapPhrase(v, posture.Reason(s))
		case k == "when" || k == "until":
			data[name] = " " + v.say("refusal."+k, arg{"When": moment(v, s)})
		case k == "why":
			data["Why"] = " " + why(v, s)
		default:
			data[name] = outside(s, 80).mrkdwn()
		}
	}
	return data
}

// people names those who may do it instead, users and groups, to the one who asked.
func people(v voice, ids []string) string {
	var names []string
	for _, id := range firsts(ids, 10) {
		if slackID(id, "S") {
			names = append(names, "<!subteam^"+id+">")
			continue
		}
		names = append(names, user(id))
	}
	return v.list(names)
}

// choices are words as they can be typed.
func choices(v voice, words []string) string {
	var all []string
	for _, w := range words {
		all = append(all, "`"+outside(w, nameLength).mrkdwn()+"`")
	}
	return v.list(all)
}

// moment shows a time that came as words.
func moment(v voice, s string) string {
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04 UTC"} {
		if t, err := time.Parse(layout, s); err == nil {
			return v.when(t)
		}
	}
	return outside(s, 40).mrkdwn()
}

// why says what shuts a way: a sentence of the edge to AWS, or a word that the catalogues know.
func why(v voice, s string) string {
	if id := "why." + s; v.has(id) {
		return v.say(id)
	}
	return outside(s, wordLength).mrkdwn()
}

// isRefusal reports whether err is an answer to a person and not a failure.
func isRefusal(err error) bool {
	var refused *commands.Refusal
	var machine *remediation.Refusal
	return errors.As(err, &refused) || errors.As(err, &machine)
}

// fieldOf is the modal's field that a refusal speaks of, or "".
func fieldOf(err error) string {
	if refused, ok := errors.AsType[*commands.Refusal](err); ok {
		return refused.Field
	}
	if machine, ok := errors.AsType[*remediation.Refusal](err); ok {
		return map[remediation.RefusalCode]string{remediation.RefuseReason: fieldReason, remediation.RefuseInUse: fieldOverride}[machine.Code]
	}
	return ""
}

func itoa(n int) string { return strconv.Itoa(n) }
