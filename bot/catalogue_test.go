package bot

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// sentences reads a catalogue: by id, all its plural forms joined.
func sentences(t *testing.T, lang string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile("locales/" + lang + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := yaml.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for id, v := range file {
		switch v := v.(type) {
		case string:
			all[id] = v
		case map[string]any:
			for _, form := range slices.Sorted(maps.Keys(v)) {
				s, _ := v[form].(string)
				all[id] += s + "\n"
			}
		}
	}
	return all
}

func TestBothCataloguesHaveTheSameIDsAndValues(t *testing.T) {
	en, ko := sentences(t, "en"), sentences(t, "ko")
	if diff := cmp.Diff(slices.Sorted(maps.Keys(en)), slices.Sorted(maps.Keys(ko))); diff != "" {
		t.Errorf("ids differ (-en +ko):\n%s", diff)
	}
	values := regexp.MustCompile(`\{\{\s*\.(\w+)\s*\}\}`)
	used := func(s string) []string {
		names := map[string]bool{}
		for _, m := range values.FindAllStringSubmatch(s, -1) {
			names[m[1]] = true
		}
		return slices.Sorted(maps.Keys(names))
	}
	for id := range en {
		if diff := cmp.Diff(used(en[id]), used(ko[id])); diff != "" {
			t.Errorf("%s: values differ (-en +ko):\n%s", id, diff)
		}
	}
}

// constants lists the values of a package's string constants of one type, read from its source, so that a word that is
// added there cannot be forgotten here.
func constants(t *testing.T, pkg, typ string) []string {
	t.Helper()
	files, err := filepath.Glob("../" + pkg + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if id, ok := v.Type.(*ast.Ident); !ok || id.Name != typ {
				return true
			}
			for _, x := range v.Values {
				if lit, ok := x.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					if s, err := strconv.Unquote(lit.Value); err == nil && s != "" {
						found = append(found, s)
					}
				}
			}
			return true
		})
	}
	if len(found) == 0 {
		t.Fatalf("no constants of type %s.%s were found", pkg, typ)
	}
	return found
}

// changes are the words of the changes that a digest tells of, in the count and in the line.
func changes(t *testing.T) []string {
	t.Helper()
	var words []string
	for _, c := range constants(t, "posture", "Change") {
		if c != string(posture.Unchanged) {
			words = append(words, c, "line."+c)
		}
	}
	return words
}

func TestEveryWordOfTheVocabularyHasASentence(t *testing.T) {
	refusals := append(constants(t, "commands", "RefusalCode"), constants(t, "remediation", "RefusalCode")...)
	vocabulary := map[string][]string{
		"refusal.":  refusals,
		"denied.":   refusals,
		"action.":   constants(t, "audit", "Action"),
		"note.":     constants(t, "remediation", "Note"),
		"gate.":     constants(t, "remediation", "Gate"),
		"state.":    constants(t, "remediation", "State"),
		"gap.":      constants(t, "posture", "Reason"),
		"finding.":  constants(t, "posture", "Code"),
		"control.":  constants(t, "posture", "Control"),
		"severity.": constants(t, "posture", "Severity"),
		"outcome.":  slices.DeleteFunc(constants(t, "audit", "Outcome"), func(o string) bool { return o == string(audit.OutcomeDone) }),
		"stage.":    constants(t, "commands", "OwnerStage"),
		"how.":      constants(t, "commands", "OwnerHow"),
		"notice.":   constants(t, "commands", "NoticeKind"),
		"role.":     constants(t, "posture", "Role"),
		"change.":   changes(t),
	}
	for _, lang := range []string{"en", "ko"} {
		said := sentences(t, lang)
		for prefix, words := range vocabulary {
			for _, w := range words {
				if said[prefix+w] == "" {
					t.Errorf("%s: there is no sentence %s%s", lang, prefix, w)
				}
			}
		}
		for _, s := range remediation.States() {
			for _, m := range allMeans() {
				r := remediation.Request{State: s, Means: m}
				if said[stateTitle(r)] == "" || said[stateTitle(r)+".done"] == "" {
					t.Errorf("%s: state %s by %s is not told in full", lang, s, m)
				}
			}
		}
		for _, a := range []remediation.Act{"", remediation.ActDeactivate, remediation.ActReactivate, remediation.ActLift, remediation.ActDelete} {
			for _, m := range allMeans() {
				if said[want(a, m)] == "" {
					t.Errorf("%s: what is asked for by %s %s has no words", lang, a, m)
				}
				if a == "" {
					continue
				}
				if said["consequence."+string(a)+"."+string(m)] == "" {
					t.Errorf("%s: what %s by %s comes to is not told", lang, a, m)
				}
			}
		}
		for _, c := range posture.Controls() {
			if said["headline."+string(c.Slug)] == "" {
				t.Errorf("%s: no headline for %s", lang, c.Slug)
			}
		}
	}
}

func TestEveryRefusalSaysWhatToDoNext(t *testing.T) {
	next := map[string]*regexp.Regexp{
		"en": regexp.MustCompile(`(?i)\b(ask|try|press|look|type|use|take|say why|compare|unblock|one sentence|nothing to do|has to press)\b|\{\{\.Who\}\}|/rootcheck`),
		"ko": regexp.MustCompile(`(주세요|\{\{\.Who\}\}|더 하실 일은 없습니다\.)["\s]*$|주세요[.:]`),
	}
	polite := regexp.MustCompile(`(니다|주세요|세요|니까|나요|인가요)\.?$`)
	for lang, says := range next {
		for id, s := range sentences(t, lang) {
			code, ok := strings.CutPrefix(id, "refusal.")
			if !ok || slices.Contains([]string{"by", "when", "until", "nearest", "who", "who.nobody"}, code) {
				continue // parts of the others
			}
			if !says.MatchString(s) {
				t.Errorf("%s: %s tells nobody what to do next: %s", lang, id, s)
			}
			for part := range strings.SplitSeq(strings.TrimSuffix(s, "."), ". ") {
				part = strings.TrimSpace(regexp.MustCompile(`\(ID \{\{[^}]*\}\}\)|\{\{[^}]*\}\}`).ReplaceAllString(part, ""))
				if lang == "ko" && part != "" && !strings.HasSuffix(part, ":") && !strings.Contains(part, ": ") && !polite.MatchString(strings.TrimRight(part, ". ")) {
					t.Errorf("%s: %s is not said politely: %q", lang, id, part)
				}
			}
		}
	}
}

func TestEveryIDInTheSourceIsInTheCatalogues(t *testing.T) {
	said := sentences(t, "en")
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != "say" {
				return true
			}
			if lit, ok := call.Args[0].(*ast.BasicLit); ok {
				id, err := strconv.Unquote(lit.Value)
				if asked++; err != nil || said[id] == "" {
					t.Errorf("%s asks for %s, which no catalogue has", name, lit.Value)
				}
			}
			return true
		})
	}
	if asked < 100 {
		t.Errorf("only %d ids were found in the source", asked)
	}
}

func TestNoSentenceIsShownByItsID(t *testing.T) {
	id := regexp.MustCompile(`\b[a-z_]+(\.[a-zA-Z_-]+)+\b`)
	prefixes := map[string]bool{}
	for k := range sentences(t, "en") {
		head, _, _ := strings.Cut(k, ".")
		prefixes[head] = true
	}
	for lang, v := range voices(t) {
		for _, d := range everything(v, "Payments") {
			for _, s := range id.FindAllString(spoken(d.Blocks), -1) {
				if head, _, _ := strings.Cut(s, "."); prefixes[head] {
					t.Errorf("%s: %s shows the id %s", lang, d.Name, s)
				}
			}
			if strings.Contains(string(encode(t, d)), "<no value>") {
				t.Errorf("%s: %s lacks a value", lang, d.Name)
			}
		}
	}
}

func TestBoldBeginsAndEndsBetweenWords(t *testing.T) {
	for _, lang := range []string{"en", "ko"} {
		for id, s := range sentences(t, lang) {
			if strings.Contains(s, "*") {
				t.Errorf("%s: %s has an asterisk, which Korean particles would keep from being bold", lang, id)
			}
		}
	}
}
