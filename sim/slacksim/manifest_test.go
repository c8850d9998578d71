package slacksim_test

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/rootcheck-bot/rootcheck/sim/slacksim"
)

// manifest is what of the app's manifest a workspace enforces.
type manifest struct {
	Features struct {
		AppHome struct {
			MessagesTab bool `yaml:"messages_tab_enabled"`
		} `yaml:"app_home"`
		Commands []struct {
			Command string
			Escape  bool `yaml:"should_escape"`
		} `yaml:"slash_commands"`
	}
	OAuth struct {
		Scopes struct{ Bot []string }
	} `yaml:"oauth_config"`
	Settings struct {
		Subscriptions struct {
			Bot []string `yaml:"bot_events"`
		} `yaml:"event_subscriptions"`
	}
}

func TestTheWorkspaceInstallsTheAppOfTheManifest(t *testing.T) {
	raw, err := os.ReadFile("../../manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	if err := yaml.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	var commands []string
	for _, c := range m.Features.Commands {
		commands = append(commands, c.Command)
		if !c.Escape {
			t.Errorf("%s is not escaped, and a workspace escapes unless Config says KeepCommandText", c.Command)
		}
	}
	if !m.Features.AppHome.MessagesTab {
		t.Error("the manifest has no Messages tab, and a workspace has one unless Config says MessagesTabDisabled")
	}
	for _, c := range []struct {
		what            string
		declared, given []string
	}{
		{"scopes", m.OAuth.Scopes.Bot, slacksim.DefaultBotScopes()},
		{"events", m.Settings.Subscriptions.Bot, slacksim.DefaultEvents()},
		{"commands", commands, slacksim.DefaultCommands()},
	} {
		if diff := cmp.Diff(slices.Sorted(slices.Values(c.declared)), slices.Sorted(slices.Values(c.given))); diff != "" || len(c.declared) == 0 {
			t.Errorf("%s differ (-manifest +workspace):\n%s", c.what, diff)
		}
	}
}

func TestACommandThatNoManifestDeclaresIsAnsweredBySlackbot(t *testing.T) {
	r := newRig(t, nil)
	status, out := r.control(t, "command", map[string]any{"user": slacksim.UserAna, "channel": "#aws-root", "command": "/rootchek"})
	if status != http.StatusOK || out["ok"] != false || out["sent"] != false || out["error"] != "/rootchek is not a valid command." {
		t.Errorf("the command came to %d %v", status, out)
	}
	said := r.messages(t, slacksim.ChannelRoot)
	if len(said) != 1 || said[0].User != "USLACKBOT" || said[0].EphemeralTo != slacksim.UserAna || !strings.HasPrefix(said[0].Text, "/rootchek is not a valid command.") {
		t.Errorf("in the channel stands %+v", said)
	}
	if acks, errs := r.Acks(), r.Errors(); len(acks) != 0 || len(errs) != 0 {
		t.Errorf("the app acknowledged %+v, and people saw %+v", acks, errs)
	}
}
