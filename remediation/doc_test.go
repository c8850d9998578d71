package remediation_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rootcheck-bot/rootcheck/remediation"
)

var update = flag.Bool("update", false, "write docs/STATE-MACHINE.md anew")

const document = "../docs/STATE-MACHINE.md"

func TestTheDocumentedTableIsCurrent(t *testing.T) {
	t.Parallel()
	want := rendered(t)
	if *update {
		if err := os.WriteFile(document, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("run go test ./remediation -run TestTheDocumentedTableIsCurrent -update: the code and the document differ (-code +document)\n%s", diff)
	}
}

// rendered is the document as the code has it now.
func rendered(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(`# The way of a key

This file is rendered from ` + "`remediation.Rules()` and `remediation.Gates()`" + `, and a test fails when it is not current:

    go test ./remediation -run TestTheDocumentedTableIsCurrent -update

A request is one key's way from *requested* to *verified*. An event moves it along one row of the table below, or is refused:
whatever has no row is refused, and nothing leads out of a state that has ended. A state that ends in "ing" is committed, with
its audit record, before the call to AWS that it stands for; whoever finds a request there reads AWS and calls nothing. A
reading that began before the call was answered, or where no answer came before its time-out, tells nothing and is made anew.

A request is judged by the policy that it was made under and, wherever that is stricter, by the one in force now. A setting
that is loosened loosens no open request; one that is tightened holds for all of them at once, also for one that is confirmed.

## Diagram

Events that leave a request where it is are left out here; the table has them.

` + "```mermaid\nstateDiagram-v2\n")
	b.WriteString("    [*] --> requested: an active key\n    [*] --> approved: an emergency\n    [*] --> inactive: a key found inactive\n")
	labels, order := map[[2]remediation.State][]string{}, [][2]remediation.State{}
	for _, r := range remediation.Rules() {
		for _, to := range r.To {
			edge := [2]remediation.State{r.From, to}
			if to == r.From {
				continue
			}
			if labels[edge] == nil {
				order = append(order, edge)
			}
			labels[edge] = append(labels[edge], string(r.On))
		}
	}
	for _, e := range order {
		fmt.Fprintf(&b, "    %s --> %s: %s\n", e[0], e[1], strings.Join(labels[e], ", "))
	}
	for _, s := range remediation.States() {
		if s.Ended() {
			fmt.Fprintf(&b, "    %s --> [*]\n", s)
		}
	}
	b.WriteString("```\n\n## Table\n\n| in | on | becomes | and |\n|---|---|---|---|\n")
	for _, r := range remediation.Rules() {
		to := make([]string, 0, len(r.To))
		for _, s := range r.To {
			to = append(to, string(s))
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.From, r.On, strings.Join(to, ", "), r.Does)
	}
	said := comments(t, "event.go", "gates.go")
	b.WriteString("\n## Events\n\n| event | is |\n|---|---|\n")
	for _, k := range remediation.Kinds() {
		fmt.Fprintf(&b, "| %s | %s |\n", k, said[string(k)])
	}
	b.WriteString(`
## Gates

Right before a changing call every gate is asked in this order, twice: before the attempt is committed, and on what was
committed. The first one that is shut ends the step, and the audit log says which. What is not known is not so.

| gate | is shut when |
|---|---|
`)
	for _, g := range remediation.Gates() {
		fmt.Fprintf(&b, "| %s | %s |\n", g, said[string(g)])
	}
	return b.String()
}

// comments are what the source says beside each constant, by the constant's value.
func comments(t *testing.T, files ...string) map[string]string {
	t.Helper()
	said := map[string]string{}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok || len(v.Values) != 1 || v.Comment == nil {
				return true
			}
			if lit, ok := v.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if value, err := strconv.Unquote(lit.Value); err == nil && said[value] == "" {
					said[value] = strings.TrimSpace(v.Comment.Text())
				}
			}
			return true
		})
	}
	for _, g := range remediation.Gates() {
		if said[string(g)] == "" {
			t.Errorf("the gate %s says nowhere when it is shut", g)
		}
	}
	return said
}
