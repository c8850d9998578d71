package app

import (
	"fmt"
	"sync"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/awsroot"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/scheduler"
)

// awsroot says to the AWS edge what the operator set.
func (c Config) awsroot(o Options) awsroot.Config {
	out := awsroot.Config{AssumeRootRate: c.Scan.AssumeRootRate, OwnerTag: c.Owners.Tag, Now: o.Now, Log: o.Log, Version: o.Version}
	for _, s := range c.AWS {
		source := awsroot.Source{Name: s.Name, NeverActOn: s.NeverActOn}
		if a := s.Account; a != nil {
			source.Account = &awsroot.Account{
				Profile: a.Profile, RoleARN: a.RoleARN, ExternalID: a.ExternalID, SourceIdentity: a.SourceIdentity, Region: a.Region,
				RootProfile: a.RootProfile, CloudTrail: c.CloudTrail,
			}
		}
		if org := s.Organization; org != nil {
			source.Organization = &awsroot.Organization{
				Profile: org.Profile, RoleARN: org.RoleARN, ExternalID: org.ExternalID, SourceIdentity: org.SourceIdentity, Region: org.Region,
				MemberRole: org.MemberRole, CloudTrail: c.CloudTrail, Tags: c.Tags, Aliases: c.Aliases,
			}
			if org.Delete != nil {
				source.Organization.Delete = &awsroot.Delete{RoleARN: org.Delete.RoleARN}
			}
			if q := org.Quarantine; q != nil {
				source.Organization.Quarantine = &awsroot.Quarantine{RoleARN: q.RoleARN, PolicyID: q.PolicyID, Except: q.Except}
			}
		}
		out.Sources = append(out.Sources, source)
	}
	return out
}

// commands says to the verbs what the operator set.
func (c Config) commands(team, version string) commands.Config {
	out := commands.Config{
		Team: team, Approvers: commands.People(c.Approvers), Requesters: commands.People(c.Requesters), Policy: c.policy(),
		DryRun: c.DryRun, DailyCap: c.DailyDeletions, ActivityWindow: time.Duration(c.ActivityWindow),
		Owners: c.Owners.Accounts, OwnerTag: c.Owners.Tag, Concurrency: c.Scan.Concurrency, Version: version,
		Sources: map[string]commands.SourceConfig{},
	}
	for _, s := range c.AWS {
		out.Sources[s.Name] = commands.SourceConfig{Requesters: commands.People(s.Requesters), NeverActOn: s.NeverActOn}
	}
	return out
}

// auditCopy writes audit records as JSON lines, where the operator wants a copy. A copy that cannot be written is logged:
// the log that counts is committed already.
func (c Config) auditCopy(o Options) func([]audit.Leaf) {
	if !c.Audit.Stdout || o.Audit == nil {
		return nil
	}
	var mu sync.Mutex
	return func(leaves []audit.Leaf) {
		mu.Lock()
		defer mu.Unlock()
		for _, l := range leaves {
			line, err := audit.Encode(l)
			if err == nil {
				_, err = o.Audit.Write(append(line, '\n'))
			}
			if err != nil {
				o.Log.Error("copy an audit record", "seq", l.Seq, "error", err)
			}
		}
	}
}

// calendars are the schedules with the work of each occurrence.
func (c Config) calendars() ([]scheduler.Schedule, error) {
	zone, err := time.LoadLocation(c.Schedules.Timezone)
	if err != nil {
		return nil, fmt.Errorf("read schedules.timezone: %w", err)
	}
	work := map[string]func(time.Time) commands.Item{
		"check":     func(at time.Time) commands.Item { return commands.ScanItem(commands.TriggerSchedule, at) },
		"digest":    func(at time.Time) commands.Item { return commands.DigestItem(at.UTC().Format(time.RFC3339), at) },
		"remind":    func(at time.Time) commands.Item { return commands.OwnersItem(commands.TriggerSchedule, at) },
		"backup":    func(at time.Time) commands.Item { return upkeepItem(kindBackup, at) },
		"integrity": func(at time.Time) commands.Item { return upkeepItem(kindIntegrity, at) },
	}
	var all []scheduler.Schedule
	for name, spec := range c.Schedules.specs() {
		if name == "backup" && !c.backsUp() {
			continue
		}
		when, err := scheduler.Parse(spec, zone)
		if err != nil {
			return nil, fmt.Errorf("read schedules.%s: %w", name, err)
		}
		all = append(all, scheduler.Schedule{Name: name, When: when, Item: work[name]})
	}
	return all, nil
}
