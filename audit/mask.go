package audit

import "strings"

// clean is text as the log keeps it: valid UTF-8, and no secret whole.
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
		n := run(s, keyByte)
		switch word := s[:n]; {
		case n >= 16 && (strings.HasPrefix(word, "AKIA") || strings.HasPrefix(word, "ASIA")):
			out.WriteString(word[:4] + "…" + word[n-4:])
			s = s[n:]
			continue
		case tokenPrefix(s) != "":
			kind := tokenPrefix(s)
			out.WriteString(kind + "…")
			s = s[len(kind)+run(s[len(kind):], tokenByte):]
			continue
		case n == 0:
			n = 1
		}
		out.WriteString(s[:n])
		s = s[n:]
	}
	return out.String()
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
