package bot

import (
	"strings"
	"unicode"

	"github.com/rootcheck-bot/rootcheck/audit"
)

// This file holds the only way in which text that somebody else wrote reaches Slack: account names, aliases, emails,
// tags, reasons, error codes. The rules are:
//   - What cannot be seen is taken out, so that nothing is reordered, hidden or joined.
//   - What Slack would act on is written so that it is only text: no mention, link, emoji code or formatting begins.
//   - What we part our own words with, and the signs by which we say how things stand, are ours alone.
//   - It is cut by characters before it is escaped, never inside an escape.
//   - No whole access key id, no secret and no token is said, wherever somebody put one and however it is written.

// untrusted is text from outside, cleaned and cut. It has one form per kind of Slack text object.
type untrusted string

// outside makes text from outside fit to be shown, as one line of at most limit characters. Text in which nothing can be
// seen becomes empty.
func outside(s string, limit int) untrusted {
	var b strings.Builder
	marks, space, n := 0, true, 0
	for _, r := range audit.Mask(s) {
		if unicode.Is(unicode.Mn, r) && r != '\ufe0f' {
			// A pile of combining marks paints over its neighbours; two are enough for every living script.
			if marks++; marks > 2 || n == 0 {
				continue
			}
		} else {
			marks = 0
		}
		if unicode.IsSpace(r) {
			if !space && n < limit {
				b.WriteByte(' ')
				n++
			}
			space = true
			continue
		}
		if audit.Unseen(r) {
			continue
		}
		if n >= limit {
			return untrusted(unforged(strings.TrimRight(cut(b.String(), limit-1), " ") + "…"))
		}
		b.WriteRune(r)
		n++
		space = false
	}
	return untrusted(unforged(strings.TrimRight(b.String(), " ")))
}

// unforged takes from text what would make a part of it read like words of ours: a separator that stands by itself, and the
// signs of a state. A dot inside a word parts nothing and stays, as in 운영·보안.
func unforged(s string) string {
	rs := []rune(s)
	for i, r := range rs {
		switch {
		case strings.ContainsRune("·•‧∙⋅・･ꞏᐧ", r) && (i == 0 || rs[i-1] == ' ' || i == len(rs)-1 || rs[i+1] == ' '):
			rs[i] = '-'
		case strings.ContainsRune("🔴🟠🟡🟢🔵⚪⚫🟥🟧🟨🟩🟦⏳⌛👀✅☑✔✓✗✘❌❎⚠⛔🚫🚨", r):
			rs[i] = '▫'
		}
	}
	return string(rs)
}

// cut returns the first n characters.
func cut(s string, n int) string {
	i := 0
	for at := range s {
		if i == n {
			return s[:at]
		}
		i++
	}
	return s
}

// String is the form for mrkdwn, which is also safe everywhere else: a forgotten conversion shows an escape, and never
// rings anybody.
func (u untrusted) String() string { return u.mrkdwn() }

// mrkdwn is the form for text objects of type mrkdwn and for the top-level text.
// https://docs.slack.dev/messaging/formatting-message-text#escaping
func (u untrusted) mrkdwn() string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(quiet(string(u)))
}

// plain is the form for text objects of type plain_text: headers, buttons, titles. Slack does not look for mentions in
// them; angle brackets are replaced all the same, because clients copy such text into notifications.
func (u untrusted) plain() string {
	return strings.NewReplacer("<", "‹", ">", "›").Replace(quiet(string(u)))
}

// quiet replaces what begins formatting, an emoji code, a link, a quotation or a mention by characters that look the
// same. An underscore inside a word begins nothing and stays, so that prod_data can be copied.
func quiet(s string) string {
	rs := []rune(s)
	for i, r := range rs {
		switch r {
		case '*':
			rs[i] = '∗'
		case '~':
			rs[i] = '∼'
		case '`':
			rs[i] = 'ˋ'
		case '_':
			if i == 0 || i == len(rs)-1 || !wordy(rs[i-1]) || !wordy(rs[i+1]) {
				rs[i] = 'ˍ'
			}
		case ':':
			if i+1 < len(rs) && (wordy(rs[i+1]) || rs[i+1] == '/' || rs[i+1] == '+' || rs[i+1] == '-') {
				rs[i] = '꞉'
			}
		case '>':
			if i == 0 {
				rs[i] = '›'
			}
		case '@':
			if i == 0 || !wordy(rs[i-1]) {
				rs[i] = '＠'
			}
		case '#':
			if i+1 < len(rs) && wordy(rs[i+1]) && (i == 0 || !wordy(rs[i-1])) {
				rs[i] = '＃'
			}
		}
	}
	return string(rs)
}

func wordy(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' }

// headCode shows the audit log's head as it is, because auditors copy it and a character that only looks the same would not
// be the head. One that holds anything but a head's own characters is shown like other text.
func headCode(head string) string {
	odd := func(r rune) bool {
		return r != '·' && (r > unicode.MaxASCII || !wordy(r) && !strings.ContainsRune(" +/=:.-", r))
	}
	if strings.ContainsFunc(head, odd) {
		head = outside(head, 400).mrkdwn()
	}
	return "```" + head + "```"
}

// user mentions a person by id, and shows what is no id as text: ids come from Slack, but a settings file may hold
// anything.
func user(id string) string {
	if !slackID(id, "UW") {
		return outside(id, 40).mrkdwn()
	}
	return "<@" + id + ">"
}

// slackID reports whether id has the form of Slack's ids and begins with one of the letters.
func slackID(id, first string) bool {
	if len(id) < 3 || len(id) > 40 || !strings.ContainsRune(first, rune(id[0])) {
		return false
	}
	return strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}
