package audit

import "strings"

// clean is text in the canonical form of a record: valid UTF-8, and no access key id or token that stands there plainly.
// What it does is part of the form of every record that was ever written, and hence fixed.
func clean(s string) string { return mask(strings.ToValidUTF8(s, "\uFFFD")) }

// mask shortens every access key id to its first and last four characters and every Slack token to its kind. The
// alphabet and prefixes of key ids: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html; of
// tokens: https://docs.slack.dev/authentication/tokens. It returns s itself when there is nothing to hide.
func mask(s string) string {
	if !strings.Contains(s, "AKIA") && !strings.Contains(s, "ASIA") && !strings.Contains(s, "xox") && !strings.Contains(s, "xapp-") {
		return s
	}

	var out strings.Builder
	for s != "" {
		if kind := tokenPrefix(s); kind != "" {
			out.WriteString(kind + "…")
			s = s[len(kind)+run(s[len(kind):], tokenByte):]
			continue
		}
		n := max(1, run(s, keyByte))
		out.WriteString(maskKey(s[:n]))
		s = s[n:]
	}
	return out.String()
}

// maskKey shortens the key id with which an unbroken run of capitals and digits ends, also where something is glued to
// its front: a run that merely looks like one loses nothing that the log needs.
func maskKey(word string) string {
	i := strings.Index(word, "AKIA")
	if j := strings.Index(word, "ASIA"); i < 0 || j >= 0 && j < i {
		i = j
	}
	if i < 0 || len(word)-i < 16 {
		return word
	}
	return word[:i+4] + "…" + word[len(word)-4:]
}

// tokenPrefix is "xoxb-" and its like where s begins with a token, or else empty.
func tokenPrefix(s string) string {
	var kind string
	switch {
	case strings.HasPrefix(s, "xapp-"):
		kind = s[:5]
	case strings.HasPrefix(s, "xox") && len(s) > 5 && s[4] == '-' && s[3] >= 'a' && s[3] <= 'z':
		kind = s[:5]
	default:
		return ""
	}
	if len(s) == len(kind) || !tokenByte(s[len(kind)]) {
		return ""
	}
	return kind
}

func keyByte(c byte) bool { return c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' }

func tokenByte(c byte) bool { return keyByte(c) || c >= 'a' && c <= 'z' || c == '-' }

// run is the length of the longest start of s whose bytes all satisfy ok.
func run(s string, ok func(byte) bool) int {
	for i := range len(s) {
		if !ok(s[i]) {
			return i
		}
	}
	return len(s)
}
