package app

import (
	"time"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// Config is everything that an operator can set. Its zero value is not usable: start from [DefaultConfig] or [Load].
type Config struct {
	Channel         string    `yaml:"channel"`                    // the bot's channel, by id
	Approvers       People    `yaml:"approvers,omitempty"`        // who gives second confirmations
	Requesters      People    `yaml:"requesters,omitempty"`       // who asks; the approvers unless set
	TwoPerson       bool      `yaml:"two_person"`                 // the requester does not confirm
	DeleteApprovals int       `yaml:"delete_approvals,omitempty"` // distinct approvers of a deletion
	DryRun          bool      `yaml:"dry_run"`                    // every card and confirmation, no changing call, no DM
	Watch           Span      `yaml:"watch"`                      // between deactivate and delete
	BlockSpread     Span      `yaml:"block_spread"`               // from attaching the quarantine policy to the start of the watch
	Guard           Span      `yaml:"guard"`                      // a key used within it is deleted only with an override
	RequestExpiry   Span      `yaml:"request_expiry"`             // of a pending or unused confirmation
	DailyDeletions  int       `yaml:"daily_deletions"`            // at most, in 24 hours
	ActivityWindow  Span      `yaml:"activity_window"`            // root activity within it is a finding
	Schedules       Schedules `yaml:"schedules"`
	AWS             []Source  `yaml:"aws,omitempty"`
	Owners          Owners    `yaml:"owners,omitempty"`
	Locale          string    `yaml:"locale"`   // of the channel: en or ko
	Database        string    `yaml:"database"` // a file, or postgres://…
	Backups         Backups   `yaml:"backups,omitempty"`
	Audit           Audit     `yaml:"audit,omitempty"`
	Scan            Scan      `yaml:"scan,omitempty"`
	Tags            bool      `yaml:"tags"`       // learn the accounts' tags, to search by
	Aliases         bool      `yaml:"aliases"`    // learn the aliases of an organization's accounts by member_role, to search by
	CloudTrail      bool      `yaml:"cloudtrail"` // also read root activity from the event history, where a role looks

	BotToken Secret `yaml:"-"` // SLACK_BOT_TOKEN or SLACK_BOT_TOKEN_FILE
	AppToken Secret `yaml:"-"` // SLACK_APP_TOKEN or SLACK_APP_TOKEN_FILE
	SlackAPI string `yaml:"-"` // SLACK_API_URL; empty: Slack itself
}

// People are users and user groups, by their Slack ids.
type People struct {
	Users  []string `yaml:"users,omitempty"`
	Groups []string `yaml:"groups,omitempty"`
}

// Schedules say when the bot does what by itself, as five-field cron specifications in one time zone.
type Schedules struct {
	Timezone string `yaml:"timezone"`
	Check    string `yaml:"check"`
	Digest   string `yaml:"digest"`
	Remind   string `yaml:"remind"` // when owners who have not answered are reminded
	Backup   string `yaml:"backup"` // of a SQLite database
	// Integrity is when the whole database and the whole audit log are read for damage.
	Integrity string `yaml:"integrity"`
}

// Source is one entry of `aws`: an organization or a single account.
type Source struct {
	Name         string              `yaml:"name"`
	Requesters   People              `yaml:"requesters,omitempty"`
	NeverActOn   []posture.AccountID `yaml:"never_act_on,omitempty"`
	Organization *Organization       `yaml:"organization,omitempty"`
	Account      *Account            `yaml:"account,omitempty"`
}

// Organization is how to look into an organization, and what may be changed there.
type Organization struct {
	Profile    string `yaml:"profile,omitempty"`     // the process's own identity unless set
	RoleARN    string `yaml:"role_arn,omitempty"`    // in the management or delegated administrator account
	ExternalID string `yaml:"external_id,omitempty"` // of that role's trust policy
	// SourceIdentity is set on the roles that are assumed. Their trust policies must allow sts:SetSourceIdentity then.
	SourceIdentity string      `yaml:"source_identity,omitempty"`
	Region         string      `yaml:"region,omitempty"`
	MemberRole     string      `yaml:"member_role,omitempty"` // a role's name, assumed in members where root access is not centralized
	Delete         *Delete     `yaml:"delete,omitempty"`      // off unless set
	Quarantine     *Quarantine `yaml:"quarantine,omitempty"`  // off unless set
}

// Delete switches deletion by sts:AssumeRoot on.
type Delete struct {
	RoleARN string `yaml:"role_arn,omitempty"`
}

// Quarantine switches blocking of the root user by the operator's policy on.
type Quarantine struct {
	RoleARN  string `yaml:"role_arn,omitempty"`
	PolicyID string `yaml:"policy_id"`
	// Except are members whose root user is never blocked, because something there would stop. Their owners are guided.
	Except []posture.AccountID `yaml:"except,omitempty"`
}

// Account is how to look into a single account, and what may be changed there.
type Account struct {
	Profile        string `yaml:"profile,omitempty"`
	RoleARN        string `yaml:"role_arn,omitempty"`
	ExternalID     string `yaml:"external_id,omitempty"`
	SourceIdentity string `yaml:"source_identity,omitempty"` // as of an organization
	Region         string `yaml:"region,omitempty"`
	RootProfile    string `yaml:"root_profile,omitempty"` // an AWS profile that is the root user; off unless set
}

// Owners say who can sign in as which root user.
type Owners struct {
	Tag      string                       `yaml:"tag"`
	Accounts map[posture.AccountID]string `yaml:"accounts,omitempty"`
}

// Backups says how many backups of a SQLite database are kept, and where.
type Backups struct {
	Keep   int    `yaml:"keep"`             // 0: none is made
	Folder string `yaml:"folder,omitempty"` // beside the database unless set
}

// Audit says where the log's signing key lies, and whether each record is also written to standard output.
type Audit struct {
	KeyFile string `yaml:"key_file,omitempty"` // beside the database unless set; never in it
	Stdout  bool   `yaml:"stdout,omitempty"`
}

// Scan bounds the calls to AWS.
type Scan struct {
	Concurrency int `yaml:"concurrency,omitempty"` // accounts in parallel, at most
	// AssumeRootRate is in calls per second. AWS publishes no figure; without one the bot begins unbounded and finds the rate
	// that AWS takes when it is first throttled.
	AssumeRootRate float64 `yaml:"assume_root_rate,omitempty"`
}

// DefaultConfig is what holds where nothing is set.
func DefaultConfig() Config {
	p := remediation.DefaultPolicy()
	return Config{
		TwoPerson: true, DeleteApprovals: p.DeleteApprovals, Watch: Span(p.Watch), BlockSpread: Span(p.Spread),
		Guard: Span(p.Guard), RequestExpiry: Span(p.PendingFor), DailyDeletions: 5, ActivityWindow: Span(24 * time.Hour),
		Schedules: Schedules{Timezone: "UTC", Check: "0 * * * *", Digest: "0 9 * * MON-FRI", Remind: "0 10 * * *", Backup: "30 3 * * *", Integrity: "0 4 * * SUN"},
		Backups:   Backups{Keep: 7},
		Owners:    Owners{Tag: "owner"}, Locale: "en", Database: "rootcheck.db",
		Scan: Scan{Concurrency: commands.DefaultConcurrency},
	}
}

// policy is what new requests are made under.
func (c Config) policy() remediation.Policy {
	p := remediation.DefaultPolicy()
	p.TwoPerson, p.DeleteApprovals, p.DryRun = c.TwoPerson, c.DeleteApprovals, c.DryRun
	p.Watch, p.Spread, p.Guard = time.Duration(c.Watch), time.Duration(c.BlockSpread), time.Duration(c.Guard)
	p.PendingFor, p.ConfirmedFor = time.Duration(c.RequestExpiry), time.Duration(c.RequestExpiry)
	return p
}
