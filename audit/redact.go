package audit

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// This file masks what people type, and names that others gave. The rules are:
//   - A secret is one however it is written: with unseen characters inside, in small or wide letters, in groups.
//   - What only looks like one loses little. What is one is never kept.

// Mask is text without whole access key ids, secret access keys, session tokens and Slack tokens, and without characters
// that nobody can see. What people type freely goes through it before it is kept or said anywhere.
func Mask(s string) string {
	// What stands there plainly goes first: something before it must not be taken for its beginning.
	s = mask(strings.Map(func(r rune) rune {
		if Unseen(r) && !unicode.IsSpace(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD")))
	if len(s) < idLength {
		return s
	}
	gs := glyphs(s)
	var out strings.Builder
	done := 0
	for i := 0; i < len(gs); {
		n, said := disguisedID(gs[i:], i > 0 && gs[i-1].touches(gs[i]))
		if n == 0 {
			n, said = secret(gs, i)
		}
		if n == 0 {
			i++
			continue
		}
		out.WriteString(s[done:gs[i].at])
		out.WriteString(said)
		i += n
		done = gs[i-1].end
	}
	out.WriteString(s[done:])
	return out.String()
}

// Unseen reports characters that show nothing or change how their neighbours are shown: controls, bidirectional marks,
// joiners, tags, fillers, private use, and bytes that are no UTF-8.
func Unseen(r rune) bool {
	switch r {
	case unicode.ReplacementChar, '\u115f', '\u1160', '\u2800', '\u3164', '\uffa0', '\u034f':
		return true
	}
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp) ||
		!unicode.IsGraphic(r)
}

// The lengths by which AWS's credentials are known.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
const (
	idLength      = 20
	secretLength  = 40
	sessionLength = 120 // no session token is shorter
)

// glyph is one letter, digit or sign of a credential as a reader takes it, with its place in the text.
type glyph struct {
	c       byte // an ASCII letter or digit, '/' or '+'; 0: anything that ends a credential
	at, end int
	apart   bool // something that people group by stands before it
}

// touches reports whether the next glyph follows without anything between.
func (g glyph) touches(next glyph) bool { return g.word() && next.word() && !next.apart }

func (g glyph) word() bool  { return keyByte(upper(g.c)) }
func (g glyph) lower() bool { return g.c >= 'a' && g.c <= 'z' }
func (g glyph) digit() bool { return g.c >= '0' && g.c <= '9' }

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

// signs are what the credentials of AWS are made of.
const signs = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/+"

// glyphs reads text as a person who copies a credential out of it would.
func glyphs(s string) []glyph {
	gs := make([]glyph, 0, len(s))
	apart := false
	for at, r := range s {
		if unicode.In(r, unicode.Mn, unicode.Me) {
			continue
		}
		g := glyph{at: at, end: at + utf8.RuneLen(r), apart: apart}
		if r >= '\uff01' && r <= '\uff5e' { // full width
			r -= 0xfee0
		}
		i := strings.IndexRune(signs, r)
		switch {
		case i >= 0:
			g.c = signs[i]
		case unicode.IsSpace(r) || unicode.In(r, unicode.Pd) || strings.ContainsRune("_.,:;|*~`'\"·", r):
			apart = true
			continue
		}
		apart = false
		gs = append(gs, g)
	}
	return gs
}

// disguisedID returns how many glyphs at the start are an access key id that is not written plainly, and what is said in
// its place. Asia is a word, and may begin one: in groups it is an id in capitals only, and else in its own alphabet.
func disguisedID(gs []glyph, inside bool) (int, string) {
	if !gs[0].word() {
		return 0, ""
	}
	var id []byte
	var grouped, digit, small, foreign bool
	n := 0
	for ; n < len(gs) && len(id) < idLength && gs[n].c != 0; n++ {
		g := gs[n]
		if !g.word() {
			grouped = true
			continue
		}
		if n > 0 {
			grouped = grouped || g.apart
		}
		small = small || g.lower()
		digit = digit || g.digit()
		foreign = foreign || g.digit() && (g.c < '2' || g.c > '7')
		id = append(id, upper(g.c))
		if len(id) <= 4 && !strings.HasPrefix("AKIA", string(id)) && !strings.HasPrefix("ASIA", string(id)) {
			return 0, ""
		}
	}
	asia := strings.HasPrefix(string(id), "ASIA")
	switch {
	case len(id) < idLength, grouped && (inside || !digit), asia && (foreign || grouped && small || !digit):
		return 0, ""
	}
	return n, string(id[:4]) + "…" + string(id[idLength-4:])
}

// secret returns how many glyphs from i on are a secret access key or a session token, and what is said in its place.
func secret(gs []glyph, i int) (int, string) {
	if gs[i].c == 0 || i > 0 && gs[i-1].c != 0 && !gs[i].apart {
		return 0, ""
	}
	var large, small, other bool
	n := 0
	for ; i+n < len(gs) && gs[i+n].c != 0 && (n == 0 || !gs[i+n].apart); n++ {
		g := gs[i+n]
		large = large || g.c >= 'A' && g.c <= 'Z'
		small = small || g.lower()
		other = other || !g.lower() && (g.c < 'A' || g.c > 'Z')
	}
	if n != secretLength && n < sessionLength || !large || !small || !other {
		return 0, ""
	}
	return n, "…"
}
