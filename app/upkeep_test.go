package app

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/store"
)

// kept is a bot with its database alone, whose clock is moved by hand.
type kept struct {
	*App
	now time.Time
}

func keeps(t *testing.T) *kept {
	t.Helper()
	return keepsAt(t, t.TempDir())
}

func keepsAt(t *testing.T, dir string) *kept {
	t.Helper()
	k := &kept{now: time.Date(2026, 11, 22, 3, 30, 0, 0, time.UTC)}
	c := DefaultConfig()
	c.Database = filepath.Join(dir, "rootcheck.db")
	o := Options{Now: func() time.Time { return k.now }, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	s, err := store.Open(t.Context(), c.store(o))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if failed := s.Close(); failed != nil {
			t.Error(failed)
		}
	})
	k.App = &App{o: o, config: c, store: s}
	k.upkeep = newUpkeep(k.App)
	if k.signer, err = c.signer(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return k
}

// do runs work that fell due, which must never end the bot.
func (k *kept) do(t *testing.T, work func(context.Context, commands.Lease) (commands.Change, error)) {
	t.Helper()
	if _, err := work(t.Context(), commands.Lease{}); err != nil {
		t.Fatal(err)
	}
}

// notices are those that wait to be said in the channel, and takes them.
func (k *kept) notices(t *testing.T) (all []commands.NoticeKind) {
	t.Helper()
	for {
		l, err := k.store.Claim(t.Context(), commands.KindNotice)
		if errors.Is(err, commands.ErrNothingDue) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		w, err := l.Work()
		if err = errors.Join(err, k.store.Finish(t.Context(), l)); err != nil {
			t.Fatal(err)
		}
		all = append(all, w.Notice)
	}
}

func (k *kept) record(t *testing.T) {
	t.Helper()
	_, err := k.store.Commit(t.Context(), commands.Change{Audit: []audit.Event{{
		At: k.now, Actor: audit.System("test"), Action: audit.ScanStarted, Outcome: audit.OutcomeDone,
	}}})
	if err != nil {
		t.Fatal(err)
	}
}

func TestBackupsRotateAndLeaveOtherFilesAlone(t *testing.T) {
	t.Parallel()
	k := keeps(t)
	k.config.Backups.Keep = 3
	mine := k.config.Database + ".backup-of-mine"
	cut := k.config.Database + ".backup-20261101T033000Z" + store.BackupPart + "1234"
	for _, f := range []string{mine, cut} {
		if err := os.WriteFile(f, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		k.do(t, k.upkeep.backup)
		k.now = k.now.AddDate(0, 0, 1)
	}
	whole, parts, err := k.config.backups()
	if err != nil || len(whole) != 3 || len(parts) != 0 || !strings.HasSuffix(whole[2], ".backup-20261126T033000Z") || !strings.HasSuffix(whole[0], ".backup-20261124T033000Z") {
		t.Errorf("there are %v and %v, %v", whole, parts, err)
	}
	if _, err := os.Stat(mine); err != nil {
		t.Errorf("somebody's own file: %v", err)
	}
	if said := k.upkeep.sentences(); len(said) != 0 {
		t.Errorf("trouble: %v", said)
	}
}

func TestABackupThatFailsIsToldOnceAndStandsUntilOneSucceeds(t *testing.T) {
	t.Parallel()
	k := keeps(t)
	k.config.Backups.Folder = filepath.Join(t.TempDir(), "unmounted")
	for range 3 {
		k.do(t, k.upkeep.backup)
		k.now = k.now.AddDate(0, 0, 1)
	}
	if told := k.notices(t); !slices.Equal(told, []commands.NoticeKind{commands.NoticeBackup}) {
		t.Errorf("told %v, want one notice", told)
	}
	if standing := k.upkeep.troubles(); len(standing) != 1 || standing[0].Notice != commands.NoticeBackup {
		t.Errorf("what stands is %v", standing)
	}
	if err := os.Mkdir(k.config.Backups.Folder, 0o700); err != nil {
		t.Fatal(err)
	}
	k.do(t, k.upkeep.backup)
	if standing := k.upkeep.troubles(); len(standing) != 0 {
		t.Errorf("after a backup there stands %v", standing)
	}
	if err := os.RemoveAll(k.config.Backups.Folder); err != nil {
		t.Fatal(err)
	}
	k.now = k.now.AddDate(0, 0, 1)
	k.do(t, k.upkeep.backup)
	if told := k.notices(t); len(told) != 1 {
		t.Errorf("when it fails anew it tells %v", told)
	}
}

func TestTheWeeklyCheckFindsATamperedLog(t *testing.T) {
	t.Parallel()
	k := keeps(t)
	for range 3 {
		k.record(t)
	}
	k.do(t, k.upkeep.integrity)
	if standing := k.upkeep.troubles(); len(standing) != 0 {
		t.Fatalf("a whole database: %v", standing)
	}
	db, err := sql.Open("sqlite", k.config.Database)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = db.ExecContext(t.Context(), "UPDATE audit_record SET raw = CAST(replace(CAST(raw AS TEXT), 'test', 'tost') AS BLOB) WHERE seq = 2"); err != nil {
		t.Fatal(err)
	}
	if err = db.Close(); err != nil {
		t.Fatal(err)
	}
	k.do(t, k.upkeep.integrity)
	if said := k.upkeep.sentences(); len(said) != 1 || !strings.Contains(said[0], "record 2 edited") {
		t.Errorf("it says %v", said)
	}
	if told := k.notices(t); !slices.Equal(told, []commands.NoticeKind{commands.NoticeDamaged}) {
		t.Errorf("told %v", told)
	}
}

func TestAHeadThatTheLogContradictsIsTold(t *testing.T) {
	t.Parallel()
	k := keeps(t)
	k.record(t)
	head, err := k.store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k.sign(t.Context(), head)
	for range 2 {
		if err = k.upkeep.restored(t.Context()); err != nil || len(k.upkeep.troubles()) != 0 {
			t.Fatalf("a log that grew: %v, %v", k.upkeep.troubles(), err)
		}
		k.record(t)
	}
	other := audit.Head{Size: head.Size, Hash: audit.Hash{1}}
	signed, err := k.signer.SignHead(other, k.now)
	if err = errors.Join(err, keepHead(k.config.witnessFile(), signed)); err != nil {
		t.Fatal(err)
	}
	if err := k.upkeep.restored(t.Context()); err != nil {
		t.Fatal(err)
	}
	if told := k.notices(t); !slices.Equal(told, []commands.NoticeKind{commands.NoticeRewritten}) {
		t.Errorf("told %v", told)
	}
	if still, _, err := keptHead(k.config.witnessFile()); err != nil || still.Head != other {
		t.Errorf("the head that convicts is gone: %v, %v", still, err)
	}
}

func TestAChannelThatIsSharedIsToldOnceAndStandsUntilItIsNot(t *testing.T) {
	t.Parallel()
	k := keeps(t)
	is := func(shared bool, err error) func(context.Context) (bool, error) {
		return func(context.Context) (bool, error) { return shared, err }
	}
	k.upkeep.channel(t.Context(), is(false, nil))
	if got := k.notices(t); len(got) != 0 {
		t.Errorf("of a channel of our own the channel heard %v", got)
	}
	for range 3 {
		k.upkeep.channel(t.Context(), is(true, nil))
	}
	k.upkeep.channel(t.Context(), is(false, errors.New("does not answer")))
	if got := k.notices(t); !slices.Equal(got, []commands.NoticeKind{commands.NoticeShared}) {
		t.Errorf("the channel heard %v, want once that it is shared", got)
	}
	if got := k.upkeep.sentences(); len(got) != 1 {
		t.Errorf("the heartbeat says %v", got)
	}
	k.upkeep.channel(t.Context(), is(false, nil))
	if got := k.upkeep.sentences(); len(got) != 0 {
		t.Errorf("the heartbeat still says %v", got)
	}
}
