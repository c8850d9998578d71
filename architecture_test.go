// Package rootcheck_test checks what holds between the packages: who may import whom, and who can reach the calls that
// change AWS. The drawing that it checks is in docs/ARCHITECTURE.md.
package rootcheck_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/rootcheck-bot/rootcheck/"

// rows are the module's folders from the process down to the vocabulary. A package imports only from rows below its own;
// what stands in one row does not import each other. The folder internal holds tools and proofs that nothing imports.
func rows() [][]string {
	return [][]string{
		{"internal"}, {"cmd"}, {"app"}, {"bot", "scheduler", "awsroot", "store"}, {"commands"}, {"remediation"}, {"posture", "audit"},
	}
}

// rowOf is the row of a package by its first folder, or -1.
func rowOf(pkg string) int {
	first, _, _ := strings.Cut(pkg, "/")
	return slices.IndexFunc(rows(), func(row []string) bool { return slices.Contains(row, first) })
}

// imports are the imports of each package's production files, whatever system they are for.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string]map[string]bool{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && name != "."):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(filepath.Dir(name))
		if found[pkg] == nil {
			found[pkg] = map[string]bool{}
		}
		for _, i := range f.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			found[pkg][p] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for pkg, set := range found {
		all[pkg] = slices.Sorted(maps.Keys(set))
	}
	if len(all) < 10 {
		t.Fatalf("only %d packages were found", len(all))
	}
	return all
}

func TestAPackageImportsOnlyFromRowsBelow(t *testing.T) {
	t.Parallel()
	for pkg, needs := range imports(t) {
		simulator := strings.HasPrefix(pkg, "sim/")
		if !simulator && rowOf(pkg) < 0 {
			t.Errorf("%s stands in no row: give it one here and in docs/ARCHITECTURE.md", pkg)
		}
		for _, p := range needs {
			own, ours := strings.CutPrefix(p, module)
			switch {
			case !ours || strings.HasPrefix(own, pkg+"/"):
			case simulator:
				if !strings.HasPrefix(own, "sim/") {
					t.Errorf("%s imports %s: a simulator knows nothing of the app", pkg, own)
				}
			case strings.HasPrefix(own, "sim/"):
				if !strings.HasPrefix(pkg, "cmd/demo") && !strings.HasPrefix(pkg, "internal/") {
					t.Errorf("%s imports %s: production code has no simulator", pkg, own)
				}
			case rowOf(own) <= rowOf(pkg):
				t.Errorf("%s imports %s, which is not in a row below it", pkg, own)
			}
		}
	}
}

func TestEachOutsideIsSpokenToByOnePackage(t *testing.T) {
	t.Parallel()
	speakers := map[string]string{
		"github.com/slack-go/slack": "bot", "github.com/aws/aws-sdk-go-v2": "awsroot", "github.com/aws/smithy-go": "awsroot",
		"database/sql": "store", "github.com/jackc/pgx": "store",
	}
	for pkg, needs := range imports(t) {
		if strings.HasPrefix(pkg, "internal/") {
			continue // what only tests use; the first test of this file keeps it out of production
		}
		for _, p := range needs {
			for what, who := range speakers {
				if (p == what || strings.HasPrefix(p, what+"/")) && pkg != who && !strings.HasPrefix(pkg, who+"/") {
					t.Errorf("%s imports %s: only %s speaks it", pkg, p, who)
				}
			}
		}
	}
}

func TestTheDomainKnowsNeitherItsStoreNorItsWire(t *testing.T) {
	t.Parallel()
	for pkg, needs := range imports(t) {
		if pkg != "posture" && pkg != "audit" && pkg != "remediation" {
			continue
		}
		for _, p := range needs {
			first, _, _ := strings.Cut(p, "/")
			allowed := strings.HasPrefix(p, module) || strings.HasPrefix(p, "golang.org/x/mod/sumdb/") || !strings.Contains(first, ".")
			if !allowed || slices.Contains([]string{"database/sql", "net/http", "net", "os", "os/exec", "unsafe"}, p) {
				t.Errorf("%s imports %s", pkg, p)
			}
		}
	}
}

func TestTheProductionBinaryHoldsNoSimulator(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "./cmd/bot").Output()
	if err != nil {
		t.Fatalf("list what cmd/bot is built of: %v", err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, path.Join(module, "remediation")) {
		t.Fatal("cmd/bot is not built of remediation: the list is of something else")
	}
	for _, p := range deps {
		if strings.HasPrefix(p, path.Join(module, "sim")) || strings.HasPrefix(p, path.Join(module, "cmd/demo")) {
			t.Errorf("cmd/bot is built of %s", p)
		}
	}
}
