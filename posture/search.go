package posture

import (
	"slices"
	"strings"
)

// Query is what somebody typed to find accounts. Every word must be found; case does not matter.
type Query struct {
	words []string // lower case
}

// ParseQuery splits the text into its words. Without any word the query matches everything.
func ParseQuery(text string) Query {
	return Query{words: strings.Fields(strings.ToLower(text))}
}

// Words returns the words in lower case. The caller owns the slice.
func (q Query) Words() []string { return slices.Clone(q.words) }

// Match reports whether every word is found in the account, or in the account and one of its findings together: "acme
// failed root-mfa" finds the accounts of that name whose root-mfa fails, not those where something else does.
func (q Query) Match(p Posture) bool {
	rest := q.beyond(p.Account)
	return len(rest) == 0 || slices.ContainsFunc(p.Findings, func(f Finding) bool { return f.isAll(rest) })
}

// Findings returns the findings that the words are about, worst first: those that match, or all of them where the words
// name the account alone. It is empty where the posture does not match. The caller owns the slice.
func (q Query) Findings(p Posture) []Finding {
	rest := q.beyond(p.Account)
	var found []Finding
	for _, f := range p.Findings {
		if f.isAll(rest) {
			found = append(found, f)
		}
	}
	slices.SortFunc(found, Finding.Compare)
	return found
}

// beyond returns the words that are not found in the account.
func (q Query) beyond(a Account) []string {
	if len(q.words) == 0 {
		return nil
	}
	text := a.words()
	var rest []string
	for _, w := range q.words {
		if !slices.ContainsFunc(text, func(t string) bool { return strings.Contains(t, w) }) {
			rest = append(rest, w)
		}
	}
	return rest
}

func (f Finding) isAll(words []string) bool {
	return !slices.ContainsFunc(words, func(w string) bool { return !f.is(w) })
}

// is reports whether a word names the finding's control (by any part of its slug), its severity or its status. Severity
// and status must be whole words, or every account with a "low" in its text would hide what was meant.
func (f Finding) is(word string) bool {
	plain := strings.ReplaceAll(word, "-", "")
	return strings.Contains(string(f.Control), word) ||
		strings.EqualFold(string(f.Severity), word) ||
		strings.EqualFold(string(f.Status), plain)
}

// words are the texts of an account that can be searched, in lower case.
func (a Account) words() []string {
	text := []string{string(a.ID), a.Name, a.Alias, a.Unit, a.Source}
	for k, v := range a.Tags {
		text = append(text, k+"="+v)
	}
	for i, t := range text {
		text[i] = strings.ToLower(t)
	}
	return text
}

// Names returns the words that a search understands for one account: its id, name, alias and unit. They are untrusted text.
func (a Account) Names() []string {
	var names []string
	for _, n := range []string{string(a.ID), a.Name, a.Alias, a.Unit} {
		if n != "" {
			names = append(names, n)
		}
	}
	return names
}

// Vocabulary returns the words that a search understands whatever the accounts are: controls, severities and statuses.
func Vocabulary() []string {
	words := []string{
		string(Critical), string(High), string(Medium), string(Low),
		string(Passed), string(Failed), string(NotApplicable), string(NotAvailable),
	}
	for i, w := range words {
		words[i] = strings.ToLower(w)
	}
	for _, c := range Controls() {
		words = append(words, string(c.Slug))
	}
	return words
}

// maxWord is how long a word may be that is compared letter by letter, in runes: longer ones are no typing mistakes, and
// the comparison takes the product of both lengths.
const maxWord = 64

// Suggest returns the word nearest to what was typed, and false where none is near: one mistake in up to five letters, two
// in up to eight, three in longer words. A mistake is a letter too many, too few, wrong, or swapped with the next. Equally
// near words go by the alphabet.
func Suggest(typed string, vocabulary []string) (string, bool) {
	word := []rune(strings.ToLower(typed))
	if len(word) == 0 || len(word) > maxWord {
		return "", false
	}
	limit := 1
	switch {
	case len(word) > 8:
		limit = 3
	case len(word) > 5:
		limit = 2
	}
	best, found := "", false
	for _, candidate := range vocabulary {
		other := []rune(strings.ToLower(candidate))
		if len(other) > maxWord || len(other)-len(word) > limit || len(word)-len(other) > limit {
			continue
		}
		d := distance(word, other)
		if d >= len(word) || d > limit || found && d == limit && candidate >= best {
			continue
		}
		best, limit, found = candidate, d, true
	}
	return best, found
}

// distance counts the mistakes between two words, with three rows of the usual table.
func distance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// Page is one page of a longer list.
type Page[T any] struct {
	Items  []T // shares its memory with the list
	Number int // from 1
	Pages  int // at least 1
	Total  int // items on all pages
}

// Paginate returns the page with the number, from 1. A number outside is moved to the nearest page, so that a button of a
// longer list still leads somewhere; a size below 1 counts as 1.
func Paginate[T any](items []T, number, size int) Page[T] {
	size = max(size, 1)
	pages := max((len(items)+size-1)/size, 1)
	if size >= len(items) {
		pages = 1 // also where the sum above would not fit an int
	}
	number = min(max(number, 1), pages)
	from := min((number-1)*size, len(items))
	to := len(items)
	if len(items)-from > size {
		to = from + size
	}
	return Page[T]{Items: items[from:to:to], Number: number, Pages: pages, Total: len(items)}
}
