package bot

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
)

// status answers how the bot itself is.
func status(v voice, s commands.Status) message {
	run := s.Coverage.Run
	last := v.say("time.never")
	if !run.Finished.IsZero() {
		last = v.when(run.Finished) + " · " + v.say("status.took", arg{"Span": v.span(run.Took)})
	}
	two := v.say("status.two_person")
	if !s.TwoPerson {
		two = v.say("caution.one_person")
	}
	blocks := []slack.Block{
		heading(v.say("status.title", arg{"Version": outside(s.Version, 40).plain()})),
		facts("",
			v.say("status.last"), last,
			v.say("status.coverage"), v.say("status.scanned", arg{"Scanned": s.Coverage.Scanned, "Listed": s.Coverage.Listed}),
			v.say("status.open"), itoa(len(s.Open)),
			v.say("status.next"), nextLines(v, s.Next),
			v.say("status.sources"), sourceList(v, s.Sources),
			v.say("status.confirmation"), two,
			v.say("status.queue"), queueLine(v, s),
			v.say("status.audit"), v.say("status.records", arg{"Count": headSize(s.AuditHead)}),
		),
	}
	if w := whyNot(v, s.Coverage, shortName); w != "" {
		blocks = append(blocks, small(w))
	}
	warn := troubleLines(v, s.Troubles)
	if x := switches(v, s.Paused, s.DryRun); x != "" {
		warn = append(warn, x)
	}
	if g := groupList(s.Unreadable); g != "" {
		warn = append(warn, v.say("caution.groups", arg{"Groups": g}))
	}
	if len(warn) > 0 {
		blocks = append(blocks, para(strings.Join(warn, "\n")))
	}
	if s.Paused.Paused {
		blocks = append(blocks, row(resumeButton(v, s.Paused.Version)))
	}
	return newMessage(v, append(blocks, running(v, s.Running)...))
}

func headSize(h audit.Head) int { return int(h.Size) }

func nextLines(v voice, next map[string]time.Time) string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(next)) {
		label := outside(name, 20).mrkdwn()
		if id := "schedule." + name; v.has(id) {
			label = v.say(id)
		}
		lines = append(lines, label+": "+v.when(next[name]))
	}
	return strings.Join(lines, "\n")
}

func sourceList(v voice, all []string) string {
	var names []string
	for _, s := range firsts(all, 10) {
		names = append(names, outside(s, shortName).mrkdwn())
	}
	if n := len(all) - len(names); n > 0 {
		names = append(names, "+"+itoa(n))
	}
	return v.list(names)
}

func queueLine(v voice, s commands.Status) string {
	n := 0
	for _, k := range s.Queue {
		n += k
	}
	said := v.say("status.due", arg{"Count": n})
	if s.Parked > 0 {
		said += " · " + v.say("status.parked", arg{"Count": s.Parked})
	}
	return said
}
