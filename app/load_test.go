package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rootcheck-bot/rootcheck/app"
)

const good = `
channel: C0123456789
approvers: {users: [U024BE7LH], groups: [S0614TZR7]}
two_person: true
dry_run: false
watch: 168h
schedules: {timezone: Asia/Seoul, check: "0 * * * *", digest: "0 9 * * MON-FRI"}
aws:
  - name: acme
    never_act_on: ["333333333333"]
    organization:
      role_arn: arn:aws:iam::111111111111:role/rootcheck-audit
      delete: {role_arn: arn:aws:iam::111111111111:role/rootcheck-delete}
      quarantine: {role_arn: arn:aws:iam::111111111111:role/rootcheck-quarantine, policy_id: p-examplepolicy}
  - name: lab
    account: {profile: lab-readonly, root_profile: lab-root}
owners: {tag: owner, accounts: {"222222222222": U061F7AUR}}
database: rootcheck.db
`

func tokens() map[string]string {
	return map[string]string{"SLACK_BOT_TOKEN": "xoxb-canary-1", "SLACK_APP_TOKEN": "xapp-canary-2"}
}

func load(t *testing.T, text string, env map[string]string) (app.Config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rootcheck.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := app.Load(file, func(k string) string { return env[k] })
	if err != nil {
		return c, err
	}
	return c, c.Validate(true)
}

func TestTheExampleOfTheDocumentationIsAccepted(t *testing.T) {
	t.Parallel()
	c, err := load(t, good, tokens())
	if err != nil {
		t.Fatal(err)
	}
	if len(c.AWS) != 2 || c.AWS[0].Organization.Quarantine.PolicyID != "p-examplepolicy" || c.Watch == 0 {
		t.Errorf("read %+v", c)
	}
}

func TestTokensAndAChannelAreEnough(t *testing.T) {
	t.Parallel()
	env := tokens()
	env["ROOTCHECK_CHANNEL"] = "C0123456789"
	c, err := load(t, "", env)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.AWS) != 1 || c.AWS[0].Account == nil || c.AWS[0].Account.RootProfile != "" {
		t.Errorf("without a file the bot would look at %+v", c.AWS)
	}
}

func TestAZeroThatIsWrittenIsNoDefault(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "rootcheck.yaml")
	if err := os.WriteFile(file, []byte("daily_deletions: 0\nowners: {tag: \"\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := app.Load(file, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	if c.DailyDeletions != 0 || c.Owners.Tag != "" {
		t.Errorf("daily_deletions is %d and owners.tag %q, want what was written", c.DailyDeletions, c.Owners.Tag)
	}
	if c, err = app.Load("", func(string) string { return "" }); err != nil || c.DailyDeletions != 5 || c.Owners.Tag != "owner" {
		t.Errorf("without a word daily_deletions is %d and owners.tag %q (%v)", c.DailyDeletions, c.Owners.Tag, err)
	}
}

func TestEachBadSettingIsOneSentenceWithItsFix(t *testing.T) {
	t.Parallel()
	with := func(old, replacement string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the example has no %q", old)
		}
		return strings.Replace(good, old, replacement, 1)
	}
	env := func(pairs ...string) map[string]string {
		e := tokens()
		for i := 0; i < len(pairs); i += 2 {
			e[pairs[i]] = pairs[i+1]
		}
		return e
	}
	for name, c := range map[string]struct {
		text  string
		env   map[string]string
		names []string
	}{
		"an unknown key names the nearest":          {with("watch:", "wacth:"), tokens(), []string{"wacth", "did you mean watch"}},
		"an unknown nested key":                     {with("timezone:", "timezon:"), tokens(), []string{"timezon", "did you mean schedules.timezone?"}},
		"a key without its end":                     {with("policy_id:", "policy:"), tokens(), []string{"policy (line 14)", "did you mean aws[].organization.quarantine.policy_id?"}},
		"a key that is a setting elsewhere":         {with("owners: {tag:", "owners: {tags:"), tokens(), []string{"tags (line 17)", "did you mean owners.tag?"}},
		"a sibling's name is nearer than another's": {with("root_profile:", "root_profil:"), tokens(), []string{"did you mean aws[].account.root_profile?"}},
		"a key in the wrong block":                  {with("watch: 168h", "backups: {key_file: x}"), tokens(), []string{"it stands in the wrong place: write it as audit.key_file"}},
		"a misspelled key in the wrong block":       {with("owners: {tag:", "owners: {integrty: x, tag:"), tokens(), []string{"did you mean schedules.integrity?"}},
		"a key that is near to none":                {with("watch:", "colour:"), tokens(), []string{"remove it, there is no such setting"}},
		"a wrong type":                              {with("two_person: true", "two_person: sometimes"), tokens(), []string{"two_person", "true or false"}},
		"a number where a list belongs":             {with("approvers: {users: [U024BE7LH]", "approvers: {users: 5"), tokens(), []string{"approvers"}},
		"broken YAML":                               {good + "\n  x: [", tokens(), []string{"line"}},
		"a missing bot token":                       {good, env("SLACK_BOT_TOKEN", ""), []string{"SLACK_BOT_TOKEN", "xoxb-"}},
		"a missing app token":                       {good, env("SLACK_APP_TOKEN", ""), []string{"SLACK_APP_TOKEN", "xapp-"}},
		"a bot token in place of the app token":     {good, env("SLACK_APP_TOKEN", "xoxb-canary-1"), []string{"SLACK_APP_TOKEN", "exchanged"}},
		"an unparsable cron specification":          {with(`"0 * * * *"`, `"every hour"`), tokens(), []string{"schedules.check", "five fields"}},
		"a cron specification that panics":          {with(`"0 * * * *"`, `"TZ="`), tokens(), []string{"schedules.check"}},
		"an unknown zone":                           {with("Asia/Seoul", "Asia/Soul"), tokens(), []string{"schedules.timezone", "Asia/Soul"}},
		"an unreadable secret file":                 {good, env("SLACK_BOT_TOKEN", "", "SLACK_BOT_TOKEN_FILE", "/nonexistent/token"), []string{"SLACK_BOT_TOKEN_FILE", "/nonexistent/token"}},
		"a token and its file":                      {good, env("SLACK_BOT_TOKEN_FILE", "/x"), []string{"SLACK_BOT_TOKEN", "both"}},
		"a database in no folder":                   {with("rootcheck.db", "/nonexistent/folder/rootcheck.db"), tokens(), []string{"database", "/nonexistent/folder"}},
		"a channel by name":                         {with("C0123456789", "'#security'"), tokens(), []string{"channel", "channel id"}},
		"a group among the users":                   {with("U024BE7LH", "S024BE7LH"), tokens(), []string{"approvers.users", "user id"}},
		"one person and a group":                    {with("two_person: true", "two_person: false"), tokens(), []string{"two_person", "exactly one"}},
		"an account id without quotes":              {with(`["333333333333"]`, "[33333]"), tokens(), []string{"never_act_on"}},
		"no quarantine policy id":                   {with(", policy_id: p-examplepolicy", ""), tokens(), []string{"policy_id"}},
		"one account in two entries":                {with("owners: {tag", "  - {name: one, account: {role_arn: \"arn:aws:iam::222222222222:role/a\"}}\n  - {name: two, account: {role_arn: \"arn:aws:iam::222222222222:role/b\"}}\nowners: {tag"), tokens(), []string{"aws[two]", "222222222222", "one"}},
		"two entries of one name":                   {with("name: lab", "name: acme"), tokens(), []string{"aws.name", "acme"}},
		"a Slack API in the clear":                  {good, env("SLACK_API_URL", "http://slack.example/api/"), []string{"SLACK_API_URL", "https"}},
		"aliases without a role to read them":       {with("watch:", "aliases: true\nwatch:"), tokens(), []string{"aliases", "member_role"}},
		"a watch of an hour":                        {with("168h", "1h"), tokens(), []string{"watch", "24h"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, c.text, c.env)
			if err == nil {
				t.Fatal("it was accepted")
			}
			for _, want := range c.names {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q shows a secret or runs over several lines", err)
			}
		})
	}
}
