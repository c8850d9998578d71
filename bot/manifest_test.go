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
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"
)

// scopesOf are the scopes that Slack asks for the methods behind the client's functions, by each method's page. Both
// kinds of channel are served. https://docs.slack.dev/reference/methods
func scopesOf() map[string][]string {
	return map[string][]string{
		"AuthTestContext":               nil,
		"StartSocketModeContext":        nil, // by the app-level token, with connections:write
		"OpenViewContext":               nil,
		"UpdateViewContext":             nil,
		"PublishViewContext":            nil,
		"PostMessageContext":            {"chat:write"},
		"UpdateMessageContext":          {"chat:write"},
		"PostEphemeralContext":          {"chat:write"},
		"OpenConversationContext":       {"im:write"},
		"GetUserInfoContext":            {"users:read", "users:read.email"}, // the email in the profile
		"GetUserByEmailContext":         {"users:read.email"},
		"GetUserGroupMembersContext":    {"usergroups:read"},
		"GetUsersInConversationContext": {"channels:read", "groups:read"},
		"GetConversationInfoContext":    {"channels:read", "groups:read"},
		"GetConversationHistoryContext": {"channels:history", "groups:history"},
		"GetConversationRepliesContext": {"channels:history", "groups:history"},
	}
}

// calledMethods are the functions that this package calls on the field api, which is its only Slack client.
func calledMethods(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	called := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			fun, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if on, ok := fun.X.(*ast.SelectorExpr); ok && on.Sel.Name == "api" {
				called[fun.Sel.Name] = true
			}
			return true
		})
	}
	return slices.Sorted(maps.Keys(called))
}

func manifest(t *testing.T) (slack.Manifest, string) {
	t.Helper()
	raw, err := os.ReadFile("../manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var m slack.Manifest
	if err := yaml.UnmarshalWithOptions(raw, &m, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	return m, string(raw)
}

func TestTheScopesAreThoseOfTheMethodsThatAreCalled(t *testing.T) {
	want := map[string]bool{"commands": true} // for the slash command itself
	for _, name := range calledMethods(t) {
		scopes, known := scopesOf()[name]
		if !known {
			t.Errorf("the code calls %s, whose scopes this test does not know", name)
		}
		for _, s := range scopes {
			want[s] = true
		}
	}
	m, raw := manifest(t)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(slices.Values(m.OAuthConfig.Scopes.Bot))); diff != "" {
		t.Errorf("scopes differ (-needed +asked for):\n%s", diff)
	}
	for s := range want {
		if !regexp.MustCompile(`(?m)^ +- ` + regexp.QuoteMeta(s) + ` +# \S`).MatchString(raw) {
			t.Errorf("the manifest gives no reason for %s", s)
		}
	}
}

func TestTheManifestKeepsSlacksRules(t *testing.T) {
	m, _ := manifest(t)
	between := func(what, s string, least, most int) {
		t.Helper()
		if n := utf8.RuneCountInString(s); n < least || n > most {
			t.Errorf("%s has %d characters, not %d to %d", what, n, least, most)
		}
	}
	between("the name", m.Display.Name, 1, 35)
	between("the description", m.Display.Description, 1, 140)
	between("the long description", m.Display.LongDescription, 175, 4000)
	between("the bot's name", m.Features.BotUser.DisplayName, 1, 80)
	if len(m.Features.SlashCommands) != 1 || m.Features.SlashCommands[0].Command != "/rootcheck" || m.Features.SlashCommands[0].Url != "" {
		t.Errorf("the slash commands are %+v", m.Features.SlashCommands)
	}
	between("the usage hint", m.Features.SlashCommands[0].UsageHint, 1, 1000)
	if !m.Settings.SocketModeEnabled || m.Settings.EventSubscriptions == nil || m.Settings.EventSubscriptions.RequestUrl != "" {
		t.Error("the app must use Socket Mode and have no request URL")
	}
	if m.Settings.Interactivity == nil || !m.Settings.Interactivity.IsEnabled || m.Settings.Interactivity.RequestUrl != "" {
		t.Error("interactivity must be on, without a request URL")
	}
	if diff := cmp.Diff([]string{"app_home_opened"}, m.Settings.EventSubscriptions.BotEvents); diff != "" {
		t.Errorf("events differ (-used +subscribed):\n%s", diff)
	}
}

func TestTheUsageHintNamesEveryWordThatIsUnderstood(t *testing.T) {
	m, _ := manifest(t)
	hint := m.Features.SlashCommands[0].UsageHint
	words, rest, ok := strings.Cut(strings.TrimPrefix(hint, "["), "]")
	if !ok || !strings.HasSuffix(rest, "/rootcheck help") {
		t.Errorf("the usage hint %q does not lead on to /rootcheck help", hint)
	}
	want := append([]string{"account"}, slices.DeleteFunc(slices.Clone(subcommands), func(s string) bool { return s == "help" })...)
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(slices.Values(strings.Split(words, " | ")))); diff != "" {
		t.Errorf("the usage hint differs (-understood +named):\n%s", diff)
	}
}

// cases are the words that the switch over a word of /rootcheck knows.
func cases(t *testing.T) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "slash.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	ast.Inspect(f, func(n ast.Node) bool {
		c, ok := n.(*ast.CaseClause)
		if !ok {
			return true
		}
		for _, x := range c.List {
			if lit, ok := x.(*ast.BasicLit); ok {
				if w, err := strconv.Unquote(lit.Value); err == nil && w != "" {
					words = append(words, w)
				}
			}
		}
		return true
	})
	return words
}

func TestEveryWordThatIsUnderstoodIsListed(t *testing.T) {
	if diff := cmp.Diff(slices.Sorted(slices.Values(cases(t))), slices.Sorted(slices.Values(subcommands))); diff != "" {
		t.Errorf("words differ (-understood +listed):\n%s", diff)
	}
}
