package app

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/scheduler"
)

// shape is the form of an id. It catches a name where an id belongs; whether the id exists is doctor's to ask.
type shape struct{ pattern, want string }

func slackUser() shape { return shape{`^[UW][A-Z0-9]{2,}$`, "a Slack user id such as U024BE7LH"} }
func slackGroup() shape {
	return shape{`^S[A-Z0-9]{2,}$`, "a Slack user group id such as S0614TZR7"}
}

func slackChannel() shape {
	return shape{`^[CG][A-Z0-9]{2,}$`, "a channel id such as C0123456789 (open the channel's details in Slack, at the very bottom)"}
}
func roleARN() shape { return shape{`^arn:aws[a-z-]*:iam::\d{12}:role/.+$`, "a role's ARN"} }
func policyID() shape {
	return shape{`^p-[a-z0-9_]{8,128}$`, "the id of a service control policy such as p-examplepolicy"}
}

// sourceIdentity is what STS takes: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func sourceIdentity() shape {
	return shape{`^[\w+=,.@-]{2,64}$`, "2 to 64 letters, digits or characters of =,.@_+- such as rootcheck"}
}

func (s shape) check(setting, value string) error {
	if value == "" || regexp.MustCompile(s.pattern).MatchString(value) {
		return nil
	}
	return &SettingError{Setting: setting, Fix: "write " + s.want + ", not " + quote(value)}
}

// Validate checks everything that can be checked without a network. It returns the first [SettingError]. With slack
// false, what only the running bot needs is not asked for.
func (c Config) Validate(slack bool) error {
	checks := []func() error{c.checkPeople, c.checkSpans, c.checkSchedules, c.checkSources, c.checkOwners, c.checkPlaces}
	if slack {
		checks = append([]func() error{c.checkSlack}, checks...)
	}
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (c Config) checkSlack() error {
	if err := checkToken("SLACK_BOT_TOKEN", "xoxb-", "OAuth & Permissions", c.BotToken); err != nil {
		return err
	}
	if err := checkToken("SLACK_APP_TOKEN", "xapp-", "Basic Information, App-Level Tokens, with connections:write", c.AppToken); err != nil {
		return err
	}
	if c.Channel == "" {
		return &SettingError{Setting: "channel", Fix: "set it, or ROOTCHECK_CHANNEL, to " + slackChannel().want}
	}
	if c.SlackAPI != "" {
		u, err := url.Parse(c.SlackAPI)
		if err != nil || u.Host == "" || (u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname()))) {
			return &SettingError{Setting: "SLACK_API_URL", Fix: "write an https address, or http on loopback, such as http://127.0.0.1:8484/slack/api/"}
		}
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func checkToken(setting, prefix, where string, s Secret) error {
	switch v := s.Reveal(); {
	case v == "":
		return &SettingError{Setting: setting, Fix: "set it to the token that begins with " + prefix + " (the app's settings in Slack: " + where + ")"}
	case strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' }):
		return &SettingError{Setting: setting, Fix: "write the token alone: there is a space, a line break or something else in it that belongs to no token"}
	case !strings.HasPrefix(v, prefix) && (strings.HasPrefix(v, "xoxb-") || strings.HasPrefix(v, "xapp-")):
		return &SettingError{Setting: setting, Fix: "the two tokens are exchanged: set it to the one that begins with " + prefix}
	case !strings.HasPrefix(v, prefix):
		return &SettingError{Setting: setting, Fix: "it wants a token that begins with " + prefix + ", and this one does not (the app's settings in Slack: " + where + ")"}
	default:
		return nil
	}
}

func (c Config) checkPeople() error {
	if err := slackChannel().check("channel", c.Channel); err != nil {
		return err
	}
	if err := c.Approvers.check("approvers"); err != nil {
		return err
	}
	if err := c.Requesters.check("requesters"); err != nil {
		return err
	}
	if !c.TwoPerson && (len(c.Approvers.Users) != 1 || len(c.Approvers.Groups) != 0) {
		return &SettingError{Setting: "two_person", Fix: "it can be false only with exactly one user in approvers.users and no group"}
	}
	if c.DeleteApprovals < 1 {
		return &SettingError{Setting: "delete_approvals", Fix: "write 1 or more"}
	}
	if !c.TwoPerson && c.DeleteApprovals > 1 {
		return &SettingError{Setting: "delete_approvals", Fix: "a single approver can give one confirmation: write 1, or set two_person"}
	}
	return nil
}

func (p People) check(setting string) error {
	for _, u := range p.Users {
		if err := slackUser().check(setting+".users", u); err != nil || u == "" {
			return firstError(err, &SettingError{Setting: setting + ".users", Fix: "remove the empty entry"})
		}
	}
	for _, g := range p.Groups {
		if err := slackGroup().check(setting+".groups", g); err != nil || g == "" {
			return firstError(err, &SettingError{Setting: setting + ".groups", Fix: "remove the empty entry"})
		}
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (c Config) checkSpans() error {
	for _, s := range []struct {
		setting  string
		value    Span
		min, max time.Duration
	}{
		{"watch", c.Watch, 24 * time.Hour, 365 * 24 * time.Hour},
		{"block_spread", c.BlockSpread, time.Minute, 24 * time.Hour},
		{"guard", c.Guard, 0, 365 * 24 * time.Hour},
		{"request_expiry", c.RequestExpiry, time.Minute, 14 * 24 * time.Hour},
		{"activity_window", c.ActivityWindow, time.Hour, 90 * 24 * time.Hour},
	} {
		if d := time.Duration(s.value); d < s.min || d > s.max {
			return &SettingError{Setting: s.setting, Fix: "write a time from " + s.min.String() + " to " + s.max.String() + ", such as 168h"}
		}
	}
	if c.DailyDeletions < 0 || c.DailyDeletions > 1000 {
		return &SettingError{Setting: "daily_deletions", Fix: "write a number from 0 to 1000"}
	}
	if c.Scan.Concurrency < 1 || c.Scan.Concurrency > 256 {
		return &SettingError{Setting: "scan.concurrency", Fix: "write a number from 1 to 256"}
	}
	if c.Scan.AssumeRootRate < 0 {
		return &SettingError{Setting: "scan.assume_root_rate", Fix: "write calls per second, or 0 for no limit"}
	}
	return nil
}

func (c Config) checkSchedules() error {
	zone, err := time.LoadLocation(c.Schedules.Timezone)
	if err != nil || c.Schedules.Timezone == "" {
		fix := "write a name of the IANA time zone database such as Asia/Seoul, not " + quote(c.Schedules.Timezone)
		if near := nearZone(c.Schedules.Timezone); near != "" {
			fix = "there is no time zone " + quote(c.Schedules.Timezone) + ": did you mean " + near + "?"
		}
		return &SettingError{Setting: "schedules.timezone", Fix: fix}
	}
	for setting, spec := range c.Schedules.specs() {
		if _, err := scheduler.Parse(spec, zone); err != nil {
			return &SettingError{Setting: "schedules." + setting, Fix: err.Error()}
		}
	}
	return nil
}

// nearZone is the time zone that a name without its area, or in other letters, stands for; empty where that is not known.
func nearZone(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '_' || r == ' ' })
	for i, w := range words {
		parts := strings.Split(w, "/")
		for j, p := range parts {
			if p != "" {
				parts[j] = strings.ToUpper(p[:1]) + p[1:]
			}
		}
		words[i] = strings.Join(parts, "/")
	}
	city := strings.Join(words, "_")
	for _, area := range []string{"", "Asia/", "Europe/", "America/", "Africa/", "Australia/", "Pacific/", "Atlantic/", "Indian/"} {
		if _, err := time.LoadLocation(area + city); err == nil && city != "" {
			return area + city
		}
	}
	return ""
}

func (s Schedules) specs() map[string]string {
	return map[string]string{"check": s.Check, "digest": s.Digest, "remind": s.Remind, "backup": s.Backup, "integrity": s.Integrity}
}

func (c Config) checkSources() error {
	if len(c.AWS) == 0 {
		return &SettingError{Setting: "aws", Fix: "name at least one organization or account"}
	}
	seen, single := map[string]bool{}, map[posture.AccountID]string{}
	for _, s := range c.AWS {
		at := "aws[" + s.Name + "]"
		switch {
		case s.Name == "" || !regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,30}$`).MatchString(s.Name):
			return &SettingError{Setting: "aws.name", Fix: "give each entry a short name of small letters, digits and hyphens, not " + quote(s.Name)}
		case seen[s.Name]:
			return &SettingError{Setting: "aws.name", Fix: "two entries are called " + quote(s.Name) + ": rename one"}
		case (s.Organization == nil) == (s.Account == nil):
			return &SettingError{Setting: at, Fix: "write either organization or account, and not both"}
		}
		seen[s.Name] = true
		if err := s.check(at); err != nil {
			return err
		}
		id := s.single()
		if other := single[id]; other != "" {
			return &SettingError{Setting: at + ".account.role_arn", Fix: "account " + string(id) + " is the entry " + quote(other) + " already: keep one of them"}
		}
		if id != "" {
			single[id] = s.Name
		}
	}
	if c.Aliases && !slices.ContainsFunc(c.AWS, Source.roleInMembers) {
		return &SettingError{Setting: "aliases", Fix: "set organization.member_role as well: only a role in the accounts may read their aliases, no privileged root session"}
	}
	return nil
}

// roleInMembers reports whether an organization names a role to look with.
func (s Source) roleInMembers() bool { return s.Organization != nil && s.Organization.MemberRole != "" }

// single is the account of an entry for one account, where its role tells it.
func (s Source) single() posture.AccountID {
	if s.Account == nil {
		return ""
	}
	parts := strings.Split(s.Account.RoleARN, ":")
	if len(parts) < 6 {
		return ""
	}
	return posture.AccountID(parts[4])
}

func (s Source) check(at string) error {
	if err := s.Requesters.check(at + ".requesters"); err != nil {
		return err
	}
	for _, id := range s.NeverActOn {
		if !id.Valid() {
			return &SettingError{Setting: at + ".never_act_on", Fix: "write account ids of twelve digits, in quotes, not " + quote(string(id))}
		}
	}
	if a := s.Account; a != nil {
		if a.RootProfile != "" && a.RootProfile == a.Profile {
			return &SettingError{Setting: at + ".account.root_profile", Fix: "use another profile for looking than the root user's own"}
		}
		return firstError(roleARN().check(at+".account.role_arn", a.RoleARN),
			sourceIdentity().check(at+".account.source_identity", a.SourceIdentity))
	}
	o := s.Organization
	if err := firstError(roleARN().check(at+".organization.role_arn", o.RoleARN),
		sourceIdentity().check(at+".organization.source_identity", o.SourceIdentity)); err != nil {
		return err
	}
	if o.Delete != nil {
		if err := roleARN().check(at+".organization.delete.role_arn", o.Delete.RoleARN); err != nil {
			return err
		}
	}
	if q := o.Quarantine; q != nil {
		if q.PolicyID == "" {
			return &SettingError{Setting: at + ".organization.quarantine.policy_id", Fix: "write " + policyID().want}
		}
		for _, id := range q.Except {
			if !id.Valid() {
				return &SettingError{Setting: at + ".organization.quarantine.except", Fix: "write account ids of twelve digits, in quotes, not " + quote(string(id))}
			}
		}
		return firstError(policyID().check(at+".organization.quarantine.policy_id", q.PolicyID),
			roleARN().check(at+".organization.quarantine.role_arn", q.RoleARN))
	}
	return nil
}

func (c Config) checkOwners() error {
	for id, user := range c.Owners.Accounts {
		if !id.Valid() {
			return &SettingError{Setting: "owners.accounts", Fix: "write account ids of twelve digits, in quotes, not " + quote(string(id))}
		}
		if err := slackUser().check("owners.accounts."+string(id), user); err != nil {
			return err
		}
	}
	return nil
}

func (c Config) checkPlaces() error {
	if c.Locale != "en" && c.Locale != "ko" {
		return &SettingError{Setting: "locale", Fix: "write en or ko, not " + quote(c.Locale)}
	}
	if c.Database == "" {
		return &SettingError{Setting: "database", Fix: "write a file such as rootcheck.db, or postgres://…"}
	}
	if c.postgres() {
		return nil
	}
	// What looks like an address may hold a password, and is not shown.
	if strings.Contains(c.Database, "://") {
		return &SettingError{Setting: "database", Fix: "write a file such as rootcheck.db, or an address that begins with postgres://"}
	}
	dir := filepath.Dir(c.Database)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return &SettingError{Setting: "database", Fix: "make the folder " + dir + " first, or name another file", Err: err}
	}
	if c.Backups.Keep < 0 || c.Backups.Keep > 1000 {
		return &SettingError{Setting: "backups.keep", Fix: "write how many backups are kept, from 0 (none is made) to 1000"}
	}
	if dir := c.Backups.Folder; dir != "" {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return &SettingError{Setting: "backups.folder", Fix: "make the folder " + dir + " first, or name another", Err: err}
		}
	}
	return nil
}

// backsUp reports whether the bot makes backups by itself.
func (c Config) backsUp() bool { return c.Backups.Keep > 0 && !c.postgres() }

func (c Config) postgres() bool {
	return strings.HasPrefix(c.Database, "postgres://") || strings.HasPrefix(c.Database, "postgresql://")
}

// keyFile is where the audit log's signing key lies: never inside the database that it vouches for.
func (c Config) keyFile() string {
	switch {
	case c.Audit.KeyFile != "":
		return c.Audit.KeyFile
	case c.postgres():
		return "rootcheck-audit.key"
	default:
		return c.Database + ".audit-key"
	}
}

// quote shows a wrong value, unless it looks like a secret.
func quote(v string) string {
	for _, p := range []string{"xox", "xapp-", "xoxe", "AKIA", "ASIA", "postgres"} {
		if strings.HasPrefix(v, p) {
			return "a secret"
		}
	}
	if len(v) > 60 {
		v = v[:60] + "…"
	}
	return `"` + strings.ToValidUTF8(v, "?") + `"`
}
