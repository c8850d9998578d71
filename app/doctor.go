package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/awsroot"
	"github.com/rootcheck-bot/rootcheck/bot"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/store"
)

// Probe is one thing that the doctor tried.
type Probe = commands.Probe

// DoctorOptions say what the doctor tries and whom it tells. Now and Tell are required.
type DoctorOptions struct {
	Sources []string // names of `aws` entries; empty: all
	Now     func() time.Time
	Version string
	Tell    func(Probe) // one call at a time
}

// Doctor tries every setting, token and permission, and changes nothing. It goes on after a failure: each one is told with
// its fix. It returns how many failed.
func Doctor(ctx context.Context, c Config, o DoctorOptions) (failed int, err error) {
	d := &doctor{c: c, o: o, tell: func(p Probe) {
		if p.Status == commands.ProbeFailed {
			failed++
		}
		o.Tell(p)
	}}
	if c.AWS, err = chosen(c.AWS, o.Sources); err != nil {
		return 0, err
	}
	d.settings()
	d.slack(ctx)
	d.aws(ctx, c)
	d.database(ctx)
	d.key()
	if ctx.Err() != nil {
		return failed, errors.New("the doctor was interrupted")
	}
	return failed, nil
}

func chosen(all []Source, wanted []string) ([]Source, error) {
	names := make([]string, 0, len(all))
	for _, s := range all {
		names = append(names, s.Name)
	}
	picked, err := pick(names, wanted)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(all), func(s Source) bool { return !slices.Contains(picked, s.Name) }), nil
}

type doctor struct {
	c    Config
	o    DoctorOptions
	tell func(Probe)
}

// settings leaves a token that is not set to the area of Slack, which tells it: it is one failure and not two.
func (d *doctor) settings() {
	var wrong *SettingError
	c, form := d.c, "complete and of the right form"
	for prefix, token := range map[string]*Secret{"xoxb-": &c.BotToken, "xapp-": &c.AppToken} {
		if !token.Set() {
			*token, form = NewSecret(prefix), "of the right form; a token is missing"
		}
	}
	switch err := c.Validate(true); {
	case err == nil:
		d.tell(Probe{Area: "Settings", Name: "settings", Status: commands.ProbeOK, Detail: form})
	case errors.As(err, &wrong):
		d.tell(Probe{Area: "Settings", Name: wrong.Setting, Status: commands.ProbeFailed, Fix: wrong.Fix})
	default:
		d.tell(Probe{Area: "Settings", Name: "settings", Status: commands.ProbeFailed, Fix: err.Error()})
	}
}

func (d *doctor) slack(ctx context.Context) {
	users, groups := slices.Concat(d.c.Approvers.Users, d.c.Requesters.Users), slices.Concat(d.c.Approvers.Groups, d.c.Requesters.Groups)
	for _, s := range d.c.AWS {
		users, groups = append(users, s.Requesters.Users...), append(groups, s.Requesters.Groups...)
	}
	for _, u := range d.c.Owners.Accounts {
		users = append(users, u)
	}
	bot.Doctor(ctx, bot.DoctorConfig{
		BotToken: d.c.BotToken.Reveal(), AppToken: d.c.AppToken.Reveal(), APIURL: d.c.SlackAPI, Channel: d.c.Channel,
		Users: unique(users), Groups: unique(groups),
	}, d.tell)
}

func unique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

func (d *doctor) aws(ctx context.Context, c Config) {
	awsroot.Doctor(ctx, c.awsroot(Options{Now: d.o.Now, Version: d.o.Version}), d.tell)
}

// database reads the database where there is one, beside a bot that may be running. Where there is none yet, the folder
// must take a file: one is made there and taken away again.
func (d *doctor) database(ctx context.Context) {
	const area, name = "Database", "database"
	if d.c.postgres() {
		d.opened(ctx, area, name, "a postgres:// address")
		return
	}
	info, err := os.Stat(d.c.Database)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if ferr := takesFiles(filepath.Dir(d.c.Database)); ferr != nil {
			d.tell(Probe{
				Area: area, Name: name, Status: commands.ProbeFailed, Detail: why(ferr),
				Fix: "Give the bot a folder that it may write to, or set database to a file in another.",
			})
			return
		}
		d.tell(Probe{Area: area, Name: name, Status: commands.ProbeOK, Detail: d.c.Database + " is made at the first start"})
	case err != nil:
		d.tell(Probe{Area: area, Name: name, Status: commands.ProbeFailed, Detail: why(err), Fix: "Let the bot reach " + d.c.Database + "."})
	case info.IsDir():
		d.tell(Probe{Area: area, Name: name, Status: commands.ProbeFailed, Detail: d.c.Database + " is a folder", Fix: "Set database to a file in it, such as rootcheck.db."})
	default:
		if err := errors.Join(writable(d.c.Database), takesFiles(filepath.Dir(d.c.Database))); err != nil {
			d.tell(Probe{Area: area, Name: name, Status: commands.ProbeFailed, Detail: why(err), Fix: "Let this user write to " + d.c.Database + " and its folder."})
			return
		}
		d.opened(ctx, area, name, d.c.Database)
	}
}

// why leaves the path of a temporary file out: it would only puzzle.
func why(err error) string {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return filepath.Dir(path.Path) + ": " + path.Err.Error()
	}
	return err.Error()
}

func writable(file string) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0) //nolint:gosec // The operator names the file.
	if err != nil {
		return err
	}
	return f.Close()
}

func takesFiles(dir string) error {
	f, err := os.CreateTemp(dir, ".rootcheck-doctor-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func (d *doctor) opened(ctx context.Context, area, name, what string) {
	s, err := store.OpenReadOnly(ctx, store.Config{URL: d.c.Database, Now: d.o.Now})
	if err == nil {
		err = s.Ping(ctx)
	}
	if err != nil {
		d.tell(Probe{Area: area, Name: name, Status: commands.ProbeFailed, Detail: err.Error(), Fix: "Set database to one that the bot can open."})
		return
	}
	d.tell(Probe{Area: area, Name: name, Status: commands.ProbeOK, Detail: what})
	if low, err := s.LowSpace(); err == nil && low != "" {
		d.tell(Probe{Area: area, Name: "space", Status: commands.ProbeFailed, Detail: lowSpace(low), Fix: "Make room on the disk."})
	}
	d.signs(ctx, s)
	d.backups()
	d.queue(ctx, area, s)
	if err := s.Close(); err != nil {
		d.tell(Probe{Area: area, Name: "close", Status: commands.ProbeFailed, Detail: err.Error(), Fix: "Look at the disk."})
	}
}

// signs holds the key file against the key that signs by the audit log's word.
func (d *doctor) signs(ctx context.Context, s *store.Store) {
	const area, name = "Database", "audit key"
	named, err := s.SigningKey(ctx)
	if err != nil {
		d.tell(Probe{Area: area, Name: name, Status: commands.ProbeFailed, Detail: err.Error(), Fix: "Run `bot audit verify`."})
		return
	}
	mine, unread := d.c.verifier()
	if named == "" || mine == named {
		return
	}
	detail := "the audit log is signed with " + named + ", and " + d.c.keyFile() + " holds " + mine
	if unread != nil {
		detail = "the audit log is signed with " + named + ", and there is no such key in " + d.c.keyFile()
	}
	d.tell(Probe{
		Area: area, Name: name, Status: commands.ProbeFailed, Detail: detail,
		Fix: "Copy the key file of a bot that runs, or of a backup, there; if no copy is left, run `bot audit rotate-key`.",
	})
}

// backups tells of the newest backup, beside the database or where the settings say.
func (d *doctor) backups() {
	const area, name = "Database", "backups"
	if !d.c.backsUp() {
		return
	}
	whole, _, err := d.c.backups()
	if err == nil {
		err = takesFiles(filepath.Dir(d.c.backupPrefix()))
	}
	switch {
	case err != nil:
		d.tell(Probe{Area: area, Name: name, Status: commands.ProbeFailed, Detail: why(err), Fix: "Set backups.folder to one that the bot may write to, or backups.keep to 0."})
	case len(whole) == 0:
		d.tell(Probe{Area: area, Name: name, Status: commands.ProbeOK, Detail: "none yet; the first is made by the schedule " + d.c.Schedules.Backup})
	default:
		d.tell(Probe{Area: area, Name: name, Status: commands.ProbeOK, Detail: fmt.Sprintf("%d, the newest is %s", len(whole), whole[len(whole)-1])})
	}
}

// queue looks at the work that failed too often.
func (d *doctor) queue(ctx context.Context, area string, s *store.Store) {
	const name, fix = "work", "Mend the cause, which the log has, and start the bot again: it then tries what was put aside."
	parked, err := s.Parked(ctx)
	if err != nil {
		d.tell(Probe{Area: area, Name: name, Status: commands.ProbeFailed, Detail: err.Error(), Fix: "Look at the database."})
		return
	}
	for _, p := range parked {
		d.tell(Probe{
			Area: area, Name: name, Status: commands.ProbeFailed, Fix: fix,
			Detail: fmt.Sprintf("%s was put aside at %s: %s", p.Key, p.At.UTC().Format(time.RFC3339), p.Why),
		})
	}
	failing, err := s.Failing(ctx)
	if err != nil {
		d.tell(Probe{Area: area, Name: name, Status: commands.ProbeFailed, Detail: err.Error(), Fix: "Look at the database."})
		return
	}
	if len(failing) > 0 {
		d.tell(Probe{
			Area: area, Name: name, Status: commands.ProbeFailed, Detail: "keeps failing: " + kinds(failing),
			Fix: "Mend the cause, which the log has: it is tried again every ten minutes.",
		})
	}
}

// key looks at the audit log's signing key without making one.
func (d *doctor) key() {
	const area, name = "Database", "audit key"
	file := d.c.keyFile()
	bad := func(detail, fix string) {
		d.tell(Probe{Area: area, Name: name, Status: commands.ProbeFailed, Detail: detail, Fix: fix})
	}
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if ferr := takesFiles(filepath.Dir(file)); ferr != nil {
			bad(why(ferr), "Set audit.key_file to a file that this user may make.")
			return
		}
		d.tell(Probe{Area: area, Name: name, Status: commands.ProbeOK, Detail: file + " is made at the first start"})
		return
	case err != nil:
		bad(why(err), "Let the bot read "+file+".")
		return
	case info.Mode().Perm()&0o077 != 0:
		bad(fmt.Sprintf("%s is open to others (%v)", file, info.Mode().Perm()), "Run: chmod 600 "+file)
		return
	}
	b, err := os.ReadFile(file) //nolint:gosec // The operator names the file.
	if err != nil {
		bad(why(err), "Let the bot read "+file+".")
		return
	}
	s, err := audit.ParseSigner(string(b))
	if err != nil {
		bad(file+" holds no signing key", "Put the key back; if it is lost, move the file away and run `bot audit rotate-key`.")
		return
	}
	d.tell(Probe{Area: area, Name: name, Status: commands.ProbeOK, Detail: "signs as " + s.Verifier()})
}
