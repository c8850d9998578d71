package bot

import (
	"embed"
	"fmt"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

//go:embed locales/en.yaml locales/ko.yaml
var locales embed.FS

// arg are the named values of a sentence. Text from outside goes in as untrusted; strings are ours.
type arg map[string]any

// catalogue holds every sentence that people read, in each language.
type catalogue struct{ bundle *i18n.Bundle }

func newCatalogue() (*catalogue, error) {
	b := i18n.NewBundle(language.English)
	b.RegisterUnmarshalFunc("yaml", yaml.Unmarshal)
	for _, name := range []string{"locales/en.yaml", "locales/ko.yaml"} {
		if _, err := b.LoadMessageFileFS(locales, name); err != nil {
			return nil, fmt.Errorf("load catalogue %s: %w", name, err)
		}
	}
	return &catalogue{bundle: b}, nil
}

// voice says sentences in one language. It is a value: making one costs nothing and it may be shared.
type voice struct {
	loc   *i18n.Localizer
	now   time.Time
	names map[string]string // people's names by their ids, for what must not ring them
	// stands is set for a message that stands for days and is not drawn again as time goes by: it names times, not ages.
	stands bool
}

// speak returns the voice for a Slack locale such as "ko-KR", or English where there is no catalogue for it.
func (c *catalogue) speak(locale string, now time.Time) voice {
	return voice{loc: i18n.NewLocalizer(c.bundle, locale, "en"), now: now}
}

// say returns a sentence. A sentence that is missing shows its id, which people can report; a test sees to it that none
// is.
func (v voice) say(id string, args ...arg) string {
	data := map[string]any{}
	var count any
	for _, a := range args {
		for k, x := range a {
			data[k] = x
			if k == "Count" {
				count = x
			}
		}
	}
	s, err := v.loc.Localize(&i18n.LocalizeConfig{MessageID: id, TemplateData: data, PluralCount: count})
	if err != nil && count != nil {
		// A sentence that is the same for each number has no plural forms.
		s, err = v.loc.Localize(&i18n.LocalizeConfig{MessageID: id, TemplateData: data})
	}
	if err != nil || s == "" {
		return id
	}
	return s
}

// has reports whether a sentence exists, for words that come from AWS and may be new.
func (v voice) has(id string) bool {
	s, err := v.loc.Localize(&i18n.LocalizeConfig{MessageID: id})
	return err == nil && s != ""
}

// when is a point in time that each reader sees in their own time zone and language; clients that cannot show the
// fallback in UTC. It is for mrkdwn only. https://docs.slack.dev/messaging/formatting-message-text#date-formatting
func (v voice) when(t time.Time) string {
	if t.IsZero() {
		return v.say("time.never")
	}
	return fmt.Sprintf("<!date^%d^{date_short_pretty} {time}|%s>", t.Unix(), t.UTC().Format("2006-01-02 15:04 UTC"))
}

// name names a person without ringing them, for what stands there day after day. Whom Slack does not tell the name of is
// shown by id.
func (v voice) name(id string) string {
	if n := outside(v.names[id], shortName).mrkdwn(); n != "" {
		return n
	}
	return "`" + outside(id, 40).mrkdwn() + "`"
}

// day is a date without a time, for mrkdwn.
func (v voice) day(t time.Time) string {
	if t.IsZero() {
		return v.say("time.unknown")
	}
	return fmt.Sprintf("<!date^%d^{date_short}|%s>", t.Unix(), t.UTC().Format("2006-01-02"))
}

// span is a length of time in its largest unit.
func (v voice) span(d time.Duration) string {
	d = d.Abs()
	const day = 24 * time.Hour
	switch {
	case d >= 730*day:
		return v.say("span.years", arg{"Count": int(d / (365 * day))})
	case d >= 60*day:
		return v.say("span.months", arg{"Count": int(d / (30 * day))})
	case d >= day:
		return v.say("span.days", arg{"Count": int((d + day/2) / day)})
	case d >= time.Hour:
		return v.say("span.hours", arg{"Count": int((d + time.Hour/2) / time.Hour)})
	case d >= time.Minute:
		return v.say("span.minutes", arg{"Count": int((d + time.Minute/2) / time.Minute)})
	default:
		return v.say("span.moment")
	}
}

// ago says how long ago something was. A time that has not come yet is shown as it is, not as a past one, and so is every
// time in a message that stands.
func (v voice) ago(t time.Time) string {
	switch d := v.now.Sub(t); {
	case t.IsZero():
		return v.say("time.never")
	case d < 0 || v.stands:
		return v.when(t)
	case d < time.Minute:
		return v.say("time.just_now")
	default:
		return v.say("time.ago", arg{"Span": v.span(d)})
	}
}

// list joins words as people do.
func (v voice) list(words []string) string { return strings.Join(words, v.say("list.separator")) }
