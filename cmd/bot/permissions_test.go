package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rootcheck-bot/rootcheck/awsroot"
	"github.com/rootcheck-bot/rootcheck/bot"
)

const permissionsPage = "../../docs/PERMISSIONS.md"

// blocks are the JSON documents of the page that have a name.
func blocks(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile(permissionsPage)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, m := range regexp.MustCompile("(?s)```json policy=([a-z]+)\n(.*?)```").FindAllStringSubmatch(string(b), -1) {
		found[m[1]] = m[2]
	}
	return found
}

// granted are the actions that a policy allows.
func granted(t *testing.T, document string) map[string]bool {
	t.Helper()
	var p struct {
		Statement []struct {
			Effect string
			Action json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(document), &p); err != nil {
		t.Fatalf("a policy is no JSON: %v", err)
	}
	actions := map[string]bool{}
	for _, s := range p.Statement {
		if s.Effect != "Allow" {
			t.Errorf("a policy that grants has a statement with the effect %s", s.Effect)
		}
		var list []string
		if err := json.Unmarshal(s.Action, &list); err != nil {
			var one string
			if err := json.Unmarshal(s.Action, &one); err != nil {
				t.Fatal(err)
			}
			list = []string{one}
		}
		for _, a := range list {
			if strings.Contains(a, "*") {
				t.Errorf("%s is no single action", a)
			}
			actions[a] = true
		}
	}
	return actions
}

// called are the actions behind each SDK call of the AWS edge: its inputs are named after the operations, and the
// provider of role credentials calls AssumeRole.
func called(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("../../awsroot/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("find the AWS edge: %v", err)
	}
	services := []string{"iam", "sts", "organizations", "account", "cloudtrail"}
	actions := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := s.X.(*ast.Ident)
			if !ok {
				return true
			}
			operation, isInput := strings.CutSuffix(s.Sel.Name, "Input")
			switch {
			case isInput && slices.Contains(services, pkg.Name):
				actions[pkg.Name+":"+operation] = true
			case pkg.Name == "stscreds" && s.Sel.Name == "NewAssumeRoleProvider":
				actions["sts:AssumeRole"] = true
			}
			return true
		})
	}
	return actions
}

// inSession are the calls of the page's table of root sessions.
func inSession(t *testing.T) map[string]bool {
	t.Helper()
	b, err := os.ReadFile(permissionsPage)
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(b), "## 6.")
	if !ok {
		t.Fatal("the page has no sixth section")
	}
	actions := map[string]bool{"sts:GetCallerIdentity": true}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z]+:[A-Za-z]+)`").FindAllStringSubmatch(table, -1) {
		actions[m[1]] = true
	}
	return actions
}

func TestThePoliciesAreCompleteAndMinimal(t *testing.T) {
	t.Parallel()
	page, allowed := blocks(t), map[string]bool{}
	for _, name := range []string{"readonly", "audit", "delete", "quarantine"} {
		document, ok := page[name]
		if !ok {
			t.Fatalf("the page has no policy %s", name)
		}
		maps.Copy(allowed, granted(t, document))
	}
	calls, session := called(t), inSession(t)
	if len(calls) < 20 {
		t.Fatalf("only %d calls were found in the AWS edge: the search is broken", len(calls))
	}
	for _, action := range slices.Sorted(maps.Keys(calls)) {
		if !allowed[action] && !session[action] {
			t.Errorf("the code calls %s, and no policy of docs/PERMISSIONS.md grants it", action)
		}
	}
	for _, action := range slices.Sorted(maps.Keys(allowed)) {
		// The event history is read only where the operator switches it on.
		if !calls[action] && action != "cloudtrail:LookupEvents" {
			t.Errorf("docs/PERMISSIONS.md grants %s, and the code never calls it", action)
		}
	}
	for _, action := range slices.Sorted(maps.Keys(session)) {
		if !calls[action] {
			t.Errorf("docs/PERMISSIONS.md says that %s is called, and the code never calls it", action)
		}
	}
}

func TestNoPolicyButTheTwoCanChangeAnything(t *testing.T) {
	t.Parallel()
	page := blocks(t)
	for _, name := range []string{"readonly", "audit"} {
		for action := range granted(t, page[name]) {
			_, verb, _ := strings.Cut(action, ":")
			looks := slices.ContainsFunc([]string{"Get", "List", "Describe", "Lookup", "Generate"}, func(p string) bool { return strings.HasPrefix(verb, p) })
			if !looks && action != "sts:AssumeRole" && action != "sts:AssumeRoot" {
				t.Errorf("the policy %s grants %s, which is no look", name, action)
			}
		}
	}
	if strings.Contains(page["audit"], "IAMDeleteRootUserCredentials") || !strings.Contains(page["audit"], "IAMAuditRootUserCredentials") {
		t.Error("the audit policy is not bound to the task policy that only looks")
	}
	if strings.Contains(page["delete"], "IAMAuditRootUserCredentials") || !strings.Contains(page["delete"], "IAMDeleteRootUserCredentials") {
		t.Error("the delete policy is not bound to its task policy")
	}
}

func TestTheQuarantinePolicyOfThePageIsTheShippedOne(t *testing.T) {
	t.Parallel()
	var shown, shipped any
	if err := json.Unmarshal([]byte(blocks(t)["scp"]), &shown); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(awsroot.QuarantinePolicy()), &shipped); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(shipped, shown); d != "" {
		t.Errorf("docs/PERMISSIONS.md shows another policy (-shipped +shown):\n%s", d)
	}
}

func TestTheDoctorKnowsTheScopesOfTheManifest(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(b), "\n    bot:\n")
	var named, known []string
	for line := range strings.Lines(list) {
		scope, ok := strings.CutPrefix(strings.TrimSpace(line), "- ")
		if !ok {
			break
		}
		scope, _, _ = strings.Cut(scope, "#")
		named = append(named, strings.TrimSpace(scope))
	}
	for _, s := range bot.Scopes() {
		known = append(known, s.Name)
	}
	slices.Sort(named)
	slices.Sort(known)
	if d := cmp.Diff(named, known); d != "" {
		t.Errorf("the doctor asks for other scopes than manifest.yaml (-manifest +doctor):\n%s", d)
	}
}
