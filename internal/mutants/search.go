package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
)

// target is a file with gates or guards, and the tests that hold them in place.
type target struct {
	file  string
	in    []string // only these functions; empty: all
	tests string
	flags []string
}

func targets() []target {
	rapid := []string{"-rapid.seed=1", "-rapid.checks=300", "-rapid.nofailfile", "-rapid.shrinktime=1ms"}
	machine := func(file string) target {
		return target{file: "remediation/" + file, tests: "./remediation", flags: rapid}
	}
	return []target{
		machine("gates.go"), machine("permit.go"), machine("machine.go"), machine("confirm.go"), machine("attempt.go"),
		machine("settle.go"), machine("watch.go"), machine("event.go"), machine("block.go"),
		{file: "commands/authorise.go", tests: "./commands", flags: []string{"-run", "Refused|Group|Looks|Looking|Directory|TooLate"}},
		{file: "awsroot/remediator.go", in: []string{"allows", "Detach", "byRootProfile"}, tests: "./awsroot", flags: []string{"-run", "Permit|Key|Block|Root|CloudTrail"}},
	}
}

// equivalents are the conditions that change nothing when they are taken away, with the reason. They stay in the code
// because they say to its reader what is meant.
func equivalents() map[string]string {
	return map[string]string{
		"awsroot/remediator.go Detach: never !receipt.Valid()": "the event of the zero receipt is no detachment",
	}
}

// mutant is the source of a file with one gate or guard taken away.
type mutant struct {
	target target
	line   int
	fn     string
	what   string
	whole  bool // a whole gate or guard, not one condition of several
	source []byte
}

func (m mutant) String() string {
	return fmt.Sprintf("%s:%d %s: %s", m.target.file, m.line, m.fn, m.what)
}

// search finds the gates and guards of a file:
//   - each entry of the list of gates stands open;
//   - each function that ends by refusing lets everything pass;
//   - each condition of a guard, that is of an if or a case whose body refuses, never holds;
//   - each part of what a gate asks for is as if it were so.
func (t target) search() ([]mutant, error) {
	source, err := os.ReadFile(t.file)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, t.file, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	s := searcher{target: t, source: source, set: set}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && (len(t.in) == 0 || slices.Contains(t.in, fn.Name.Name)) {
			s.fn = fn
			s.last(fn.Body)
			ast.Inspect(fn, s.visit)
		}
	}
	return s.found, nil
}

type searcher struct {
	target target
	source []byte
	set    *token.FileSet
	fn     *ast.FuncDecl
	found  []mutant
}

func (s *searcher) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.CompositeLit:
		if s.fn.Name.Name == "gates" && len(n.Elts) == 2 {
			s.mutate(n.Elts[1], "the gate "+s.text(n.Elts[0])+" stands open", true, "func(check) bool { return true }")
		}
	case *ast.IfStmt:
		if refuses(n.Body.List) {
			s.never(n.Cond)
		}
	case *ast.SwitchStmt:
		if n.Tag != nil {
			return true
		}
		for _, c := range n.Body.List {
			if c, ok := c.(*ast.CaseClause); ok && refuses(c.Body) {
				for _, e := range c.List {
					s.never(e)
				}
			}
		}
	case *ast.ReturnStmt:
		if s.asks() && len(n.Results) == 1 {
			s.granted(n.Results[0])
		}
	}
	return true
}

// last lets a function that ends by refusing end by nothing.
func (s *searcher) last(body *ast.BlockStmt) {
	if body == nil || len(body.List) == 0 {
		return
	}
	r, ok := body.List[len(body.List)-1].(*ast.ReturnStmt)
	if !ok || len(r.Results) == 0 {
		return
	}
	e := r.Results[len(r.Results)-1]
	if a, ok := e.(*ast.UnaryExpr); ok {
		if c, ok := a.X.(*ast.CompositeLit); ok && typeName(c.Type) == "Refusal" {
			s.mutate(e, "never "+s.text(e)+" in the end", true, "nil")
		}
	}
}

// asks reports whether the function is one that a gate asks with, where each part of a conjunction is a condition.
func (s *searcher) asks() bool {
	return strings.HasSuffix(s.target.file, "gates.go") || s.fn.Name.Name == "blockOurs" || s.fn.Name.Name == "agrees"
}

// never makes a condition that refuses never hold: as a whole, and where it has several parts, one by one.
func (s *searcher) never(e ast.Expr) {
	s.mutate(e, "never "+s.text(e), true, "("+s.text(e)+") && false")
	if parts := split(e, token.LOR); len(parts) > 1 {
		for _, p := range parts {
			s.mutate(p, "never "+s.text(p), false, "(("+s.text(p)+") && false)")
		}
	}
}

// granted takes each part of a conjunction for granted, wherever it stands in what is returned.
func (s *searcher) granted(e ast.Expr) {
	for _, or := range split(e, token.LOR) {
		parts := split(or, token.LAND)
		if len(parts) == 1 {
			continue
		}
		for _, p := range parts {
			s.mutate(p, "always "+s.text(p), false, "(("+s.text(p)+") || true)")
		}
	}
}

func split(e ast.Expr, op token.Token) []ast.Expr {
	if p, ok := e.(*ast.ParenExpr); ok {
		return split(p.X, op)
	}
	if b, ok := e.(*ast.BinaryExpr); ok && b.Op == op {
		return append(split(b.X, op), split(b.Y, op)...)
	}
	return []ast.Expr{e}
}

func (s *searcher) text(n ast.Node) string {
	return string(s.source[s.set.Position(n.Pos()).Offset:s.set.Position(n.End()).Offset])
}

func (s *searcher) mutate(n ast.Node, what string, whole bool, with string) {
	from, to := s.set.Position(n.Pos()), s.set.Position(n.End())
	what = strings.Join(strings.Fields(what), " ")
	if equivalents()[s.target.file+" "+s.fn.Name.Name+": "+what] != "" {
		return
	}
	s.found = append(s.found, mutant{
		target: s.target, line: from.Line, fn: s.fn.Name.Name, what: what, whole: whole,
		source: slices.Concat(s.source[:from.Offset], []byte(with), s.source[to.Offset:]),
	})
}

// refuses reports whether a body says no: it refuses, returns false or an error of its own, ends or voids what was
// confirmed, or treats the outcome as unknown.
func refuses(body []ast.Stmt) bool {
	no := false
	for _, st := range body {
		ast.Inspect(st, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncLit, *ast.IfStmt, *ast.SwitchStmt, *ast.ForStmt, *ast.RangeStmt:
				return false // these have guards of their own
			case *ast.CallExpr:
				no = no || slices.Contains([]string{"refuse", "refused", "missing", "stale", "unsure", "restartWatch", "alarm"}, called(n))
			case *ast.CompositeLit:
				no = no || slices.Contains([]string{"GateError", "Refusal"}, typeName(n.Type)) || strings.Contains(lits(n), "Refused")
			case *ast.ReturnStmt:
				no = no || len(n.Results) > 0 && denies(n.Results[len(n.Results)-1])
			}
			return true
		})
	}
	return no
}

func called(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// lits are the names that a composite literal sets its fields to.
func lits(c *ast.CompositeLit) string {
	var names []string
	for _, e := range c.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			names = append(names, typeName(kv.Value))
		}
	}
	return strings.Join(names, " ")
}

// denies reports whether a returned value is false, or one of the errors by which a session says no.
func denies(e ast.Expr) bool {
	name := typeName(e)
	return name == "false" || strings.HasPrefix(name, "Err")
}
