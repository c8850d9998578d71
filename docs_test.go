package rootcheck_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rootcheck-bot/rootcheck/app"
)

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// testsIn are the tests that a folder declares.
func testsIn(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				names = append(names, fn.Name.Name)
			}
		}
	}
	return names
}

func TestEachThreatNamesATestThatExists(t *testing.T) {
	t.Parallel()
	_, table, found := strings.Cut(read(t, "docs/SECURITY-MODEL.md"), "| threat | defence | test |\n|---|---|---|\n")
	if !found {
		t.Fatal("the table of threats is not there")
	}
	rows := strings.Split(strings.TrimSpace(table), "\n")
	if len(rows) < 20 {
		t.Errorf("only %d threats are told", len(rows))
	}
	named := regexp.MustCompile("(?:`([a-z/]+)`|root) (Test[A-Za-z0-9]+)")
	for _, row := range rows {
		cells := strings.Split(strings.Trim(row, "|"), "|")
		if len(cells) != 3 {
			t.Errorf("a row has not three cells: %s", row)
			continue
		}
		tests := named.FindAllStringSubmatch(cells[2], -1)
		if len(tests) == 0 {
			t.Errorf("no test covers %q", strings.TrimSpace(cells[0]))
		}
		for _, test := range tests {
			if dir := filepath.FromSlash(test[1]); !slices.Contains(testsIn(t, dir), test[2]) {
				t.Errorf("%q is said to be covered by %s in %q, which is not there", strings.TrimSpace(cells[0]), test[2], dir)
			}
		}
	}
}

func TestEachLinkOfTheDocumentationLeadsSomewhere(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`\]\(([^)#\s]+)(?:#[^)]*)?\)`)
	for _, page := range append(pages, "README.md", "CONTRIBUTING.md", "SECURITY.md") {
		for _, m := range link.FindAllStringSubmatch(read(t, page), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), filepath.FromSlash(m[1]))); err != nil {
				t.Errorf("%s links to %s, which is not there", page, m[1])
			}
		}
	}
}

// settings are the paths of everything that the settings file may hold. What can hold anything, such as a map, ends a path.
func settings(t reflect.Type, at string) []string {
	switch {
	case t.Kind() == reflect.Pointer:
		return settings(t.Elem(), at)
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		return settings(t.Elem(), at+"[]")
	}
	if t.Kind() != reflect.Struct {
		return []string{at}
	}
	var paths []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name != "" && name != "-" {
			paths = append(paths, settings(f.Type, strings.TrimPrefix(at+"."+name, "."))...)
		}
	}
	return paths
}

func TestTheReadmesExampleIsAccepted(t *testing.T) {
	t.Parallel()
	_, example, found := strings.Cut(read(t, "README.md"), "```yaml\n")
	if !found {
		t.Fatal("the example is not there")
	}
	example, _, _ = strings.Cut(example, "```")
	file := filepath.Join(t.TempDir(), "rootcheck.yaml")
	if err := os.WriteFile(file, []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"SLACK_BOT_TOKEN": "xoxb-made-up", "SLACK_APP_TOKEN": "xapp-made-up"}
	c, err := app.Load(file, func(name string) string { return env[name] })
	if err == nil {
		err = c.Validate(true)
	}
	if err != nil {
		t.Errorf("the example is refused: %v", err)
	}
}

func TestTheReadmeTellsEachSettingAndNoOther(t *testing.T) {
	t.Parallel()
	_, table, found := strings.Cut(read(t, "README.md"), "| setting | default | what it does |\n|---|---|---|\n")
	if !found {
		t.Fatal("the table of settings is not there")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	var told []string
	for row := range strings.Lines(table) {
		first := strings.Split(row, "|")[1]
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(first, -1) {
			switch name := m[1]; {
			case strings.ToUpper(name) == name: // an environment variable
			case strings.HasPrefix(name, "."): // a neighbour of the one before
				told = append(told, told[len(told)-1][:strings.LastIndex(told[len(told)-1], ".")]+name)
			default:
				told = append(told, name)
			}
		}
	}
	all := settings(reflect.TypeFor[app.Config](), "")
	for _, s := range all {
		if !slices.ContainsFunc(told, func(name string) bool { return s == name || strings.HasPrefix(s, name+".") }) {
			t.Errorf("the README does not tell of the setting %s", s)
		}
	}
	for _, name := range told {
		if !slices.ContainsFunc(all, func(s string) bool { return s == name || strings.HasPrefix(s, name+".") }) {
			t.Errorf("the README tells of the setting %s, which does not exist", name)
		}
	}
}
