package slacksim_test

import (
	"errors"
	"net/http"
	"os"
	"slices"
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

func TestACommandThatNoManifestDeclaresReachesNoApp(t *testing.T) {
	r := newRig(t, nil)
	_, err := r.Command(slacksim.CommandRequest{User: slacksim.UserAna, Channel: slacksim.ChannelRoot, Command: "/rootchek"})
	refused, ok := errors.AsType[*slacksim.RefusedError](err)
	if !ok || refused.Status != http.StatusNotFound || refused.Why != "/rootchek is not a valid command." {
		t.Errorf("the workspace answered %v", err)
	}
	if acks := r.Acks(); len(acks) != 0 {
		t.Errorf("the app acknowledged %+v", acks)
	}
}
