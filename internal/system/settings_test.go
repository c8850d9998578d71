package system_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

// TestEachBadSettingEndsTheBinaryWithOneSentence starts the real binary with one thing wrong at a time.
func TestEachBadSettingEndsTheBinaryWithOneSentence(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the real binary")
	}
	w := newWorld(t, newClock(0), awssim.Config{}, killSettings)
	dir := filepath.Dir(w.settings)
	ok(t, os.Mkdir(filepath.Join(dir, "folder"), 0o700))
	for name, content := range map[string]string{"empty": "", "two-lines": "xoxb-canary-one\nxoxb-canary-two\n", "key": "not a key"} {
		ok(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	ok(t, os.WriteFile(filepath.Join(dir, "open-key"), []byte("x"), 0o644))
	good := w.env
	for name, c := range map[string]struct {
		env    map[string]string // set beside what is good; an empty value takes it away
		add    string            // to the settings
		change [2]string         // in the settings
		says   string
	}{
		"a bot token in place of the app-level one": {env: map[string]string{"SLACK_APP_TOKEN": "xoxb-canary"}, says: "SLACK_APP_TOKEN"},
		"an app-level token in place of the bot's":  {env: map[string]string{"SLACK_BOT_TOKEN": "xapp-canary"}, says: "SLACK_BOT_TOKEN"},
		"no app-level token":                        {env: map[string]string{"SLACK_APP_TOKEN": ""}, says: "SLACK_APP_TOKEN"},
		"no bot token":                              {env: map[string]string{"SLACK_BOT_TOKEN": ""}, says: "SLACK_BOT_TOKEN"},
		"a token's file that is a folder":           {env: map[string]string{"SLACK_BOT_TOKEN": "", "SLACK_BOT_TOKEN_FILE": filepath.Join(dir, "folder")}, says: "SLACK_BOT_TOKEN"},
		"a token's file that is empty":              {env: map[string]string{"SLACK_BOT_TOKEN": "", "SLACK_BOT_TOKEN_FILE": filepath.Join(dir, "empty")}, says: "SLACK_BOT_TOKEN"},
		"a token's file of two lines":               {env: map[string]string{"SLACK_BOT_TOKEN": "", "SLACK_BOT_TOKEN_FILE": filepath.Join(dir, "two-lines")}, says: "SLACK_BOT_TOKEN"},
		"a Slack on plain http elsewhere":           {env: map[string]string{"SLACK_API_URL": "http://slack.example/api/"}, says: "SLACK_API_URL"},
		"a database that is a folder":               {env: map[string]string{"ROOTCHECK_DATABASE": filepath.Join(dir, "folder")}, says: "database"},
		"a database where nobody may write":         {env: map[string]string{"ROOTCHECK_DATABASE": "/proc/rootcheck.db"}, says: ""},
		"a database of an unknown kind":             {env: map[string]string{"ROOTCHECK_DATABASE": "mysql://canary@127.0.0.1/x"}, says: "database"},
		"a Postgres that is not there":              {env: map[string]string{"ROOTCHECK_DATABASE": "postgres://somebody:canary@127.0.0.1:1/x"}, says: "database"},
		"a zone that does not exist":                {env: map[string]string{"ROOTCHECK_TIMEZONE": "Mars/Olympus"}, says: "schedules.timezone"},
		"a language that nobody wrote":              {env: map[string]string{"ROOTCHECK_LOCALE": "xx"}, says: "locale"},
		"a settings file that is not there":         {env: map[string]string{"ROOTCHECK_CONFIG": filepath.Join(dir, "nowhere.yaml")}, says: "nowhere.yaml"},
		"a settings file that is a folder":          {env: map[string]string{"ROOTCHECK_CONFIG": filepath.Join(dir, "folder")}, says: "folder"},
		"an unknown key":                            {add: "wacth: 7d\n", says: "watch"},
		"a wrong type":                              {add: "two_person: sometimes\n", says: "two_person"},
		"a key twice":                               {add: "watch: 24h\n", says: "watch"},
		"no YAML":                                   {add: "{{{\n", says: ""},
		"a watch that is too short":                 {change: [2]string{"watch: 168h", "watch: 1h"}, says: "watch"},
		"a cron that nobody can read":               {add: "schedules: {check: \"TZ=\"}\n", says: "schedules.check"},
		"a channel's name":                          {change: [2]string{"channel: C0AWSROOT01", "channel: \"#root\""}, says: "channel"},
		"no channel":                                {change: [2]string{"channel: C0AWSROOT01", ""}, says: "channel"},
		"no AWS":                                    {change: [2]string{"aws:\n", "owners: {}\nx_aws:\n"}, says: "aws"},
		"a signing key that is none":                {add: "audit: {key_file: key}\n", says: "audit.key_file"},
		"a signing key that all can read":           {add: "audit: {key_file: open-key}\n", says: "audit.key_file"},
		"one person without being named":            {add: "two_person: false\n", says: "two_person"},
	} {
		t.Run(name, func(t *testing.T) {
			text := killSettings
			if c.change[0] != "" {
				text = strings.Replace(text, c.change[0], c.change[1], 1)
			}
			ok(t, os.WriteFile(w.settings, []byte(text+c.add), 0o600))
			w.env = maps.Clone(good)
			for k, v := range c.env {
				if w.env[k] = v; v == "" {
					delete(w.env, k)
				}
			}
			p := w.start("run")
			select {
			case <-p.ended:
			case <-time.After(time.Minute):
				p.kill()
				t.Fatalf("the bot runs:\n%s", p.out.String())
			}
			said := p.out.String()
			if p.status != 2 || strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "bot: ") || !strings.Contains(said, c.says) || strings.Contains(said, "canary") {
				t.Errorf("status %d:\n%s", p.status, said)
			}
			p.clean(t)
		})
	}
}
