package store_test

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
	"github.com/rootcheck-bot/rootcheck/store"
)

const (
	account = posture.AccountID("222222222222")
	wholeID = posture.KeyID("AKIAIOSFODNN7EXAMPLE")
)

func event(a audit.Action) audit.Event {
	return audit.Event{At: newClock().Now(), Actor: audit.User("U024BE7LH", "T012AB3C4"), Action: a, Outcome: audit.OutcomeDone}
}

func request(id string) remediation.Request {
	at := newClock().Now()
	return remediation.Request{
		ID: remediation.RequestID(id), Version: 1, State: remediation.Requested, Source: "acme", Account: account,
		Key:    posture.Key{ID: wholeID, Status: posture.KeyActive, Created: at.Add(-time.Hour)},
		Policy: remediation.DefaultPolicy(), Requester: remediation.Person{User: "U024BE7LH"}, Reason: "old", OpenedAt: at, Since: at,
	}
}

func commit(t *testing.T, s *store.Store, c commands.Change) error {
	t.Helper()
	_, err := s.Commit(t.Context(), c)
	return err
}

// readLog checks the log of a store. What is given beside the log is kept.
func readLog(t *testing.T, s *store.Store, c audit.Check) (r audit.Report, head audit.Head) {
	t.Helper()
	ok(t, s.ReadLog(t.Context(), func(l store.Log) (err error) {
		c.Records, c.Stored, c.Heads, head = l.Records, l.Hashes, l.Heads, l.Head
		r, err = audit.Verify(t.Context(), c)
		return err
	}))
	return r, head
}

// verify reads the whole log of a store and wants it whole.
func verify(t *testing.T, s *store.Store) audit.Report {
	t.Helper()
	r, head := readLog(t, s, audit.Check{})
	if !r.OK() {
		t.Errorf("the audit log does not verify: %v", r.Findings)
	}
	if r.Head != head {
		t.Errorf("the records make %v, the store says %v", r.Head, head)
	}
	return r
}

func TestAChangeIsWrittenWhole(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			s := d.fresh(t, by(c.Now))
			ok(t, s.Put(t.Context(), commands.Item{Key: "act/r1/1", Kind: "aws.act"}))
			l := must[commands.Lease](t)(s.Claim(t.Context(), "aws.act"))
			r := request("r1")
			block := remediation.Block{Source: "acme", Account: account}.Hold("r1", false, c.Now())
			paused := commands.Switch{Version: 1, Paused: true, By: "U1", Reason: "drill", At: c.Now()}
			owner := commands.Owner{Version: 1, Source: "acme", Account: account, User: "U2", How: commands.OwnerByTag, Stage: commands.OwnerTold}
			mute := commands.Mute{
				Version: 1, Source: "acme", Account: account, Control: posture.RootMFA, By: "U1", Reason: "soon", Until: c.Now().Add(time.Hour),
			}
			first, last := event(audit.BreakglassDeclared), event(audit.RemediationAttempted)
			first.Request = "r1"
			last.Request, last.Version, last.Outcome, last.Key = "r1", 1, audit.OutcomeAttempt, wholeID.Mask()+"#"+wholeID.Fingerprint()

			receipt := must[audit.Receipt](t)(s.Commit(t.Context(), commands.Change{
				Lease: &l, Done: true, Request: &r, Block: &block, Switch: &paused, Owner: &owner, Mute: &mute,
				Audit: []audit.Event{first, last},
				Queue: []commands.Item{{Key: "card/acme/222222222222", Kind: "slack.card"}, {Key: "act/r1/1", Kind: "aws.read"}},
			}))

			if !receipt.For(audit.RemediationAttempted, "r1", 1) || receipt.Seq() != 1 {
				t.Errorf("the receipt is for %v as record %d", receipt.Event(), receipt.Seq())
			}
			if head := must[audit.Head](t)(s.Head(t.Context())); head != receipt.Head() || head.Size != 2 {
				t.Errorf("head %v, receipt over %v", head, receipt.Head())
			}
			verify(t, s)
			same(t, "request", r, must[remediation.Request](t)(s.Request(t.Context(), "r1")))
			same(t, "block", block, must[remediation.Block](t)(s.Block(t.Context(), "acme", account)))
			same(t, "switch", paused, must[commands.Switch](t)(s.Switch(t.Context())))
			same(t, "owner", owner, must[commands.Owner](t)(s.Owner(t.Context(), "acme", account)))
			same(t, "mutes", []commands.Mute{mute}, must[[]commands.Mute](t)(s.Mutes(t.Context())))
			for _, kind := range []string{"slack.card", "aws.read"} {
				must[commands.Lease](t)(s.Claim(t.Context(), kind))
			}
			if _, err := s.Claim(t.Context(), "aws.act"); !errors.Is(err, commands.ErrNothingDue) {
				t.Errorf("the finished item is still there: %v", err)
			}
		})
	}
}

func same[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestOfEightWhoWriteOneVersionOneWins(t *testing.T) {
	t.Parallel()
	changes := map[string]func(version, who int) commands.Change{
		"request": func(v, who int) commands.Change {
			r := request("r1")
			r.Version, r.Reason = v, strconv.Itoa(who)
			return commands.Change{Request: &r}
		},
		"block": func(v, _ int) commands.Change {
			return commands.Change{Block: &remediation.Block{Source: "acme", Account: account, Version: v}}
		},
		"switch": func(v, who int) commands.Change {
			return commands.Change{Switch: &commands.Switch{Version: v, By: strconv.Itoa(who)}}
		},
		"owner": func(v, who int) commands.Change {
			return commands.Change{Owner: &commands.Owner{Source: "acme", Account: account, Version: v, User: strconv.Itoa(who)}}
		},
		"mute": func(v, who int) commands.Change {
			return commands.Change{Mute: &commands.Mute{Source: "acme", Account: account, Control: posture.RootMFA, Version: v, By: strconv.Itoa(who)}}
		},
	}
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			url := d.url(t)
			replicas := []*store.Store{openURL(t, url)}
			if d.name == "postgres" {
				replicas = append(replicas, openURL(t, url, replica("two")))
			}
			var won int64
			for what, change := range changes {
				for version := 1; version <= 5; version++ {
					var mu sync.Mutex
					winners := 0
					var all errgroup.Group
					for who := range 8 {
						all.Go(func() error {
							c := change(version, who)
							c.Audit = []audit.Event{event(audit.RemediationConfirmed)}
							c.Queue = []commands.Item{{Key: fmt.Sprint(what, version, who), Kind: "won"}}
							_, err := replicas[who%len(replicas)].Commit(t.Context(), c)
							if errors.Is(err, commands.ErrConflict) {
								return nil
							}
							mu.Lock()
							defer mu.Unlock()
							winners++
							return err
						})
					}
					ok(t, all.Wait())
					if winners != 1 {
						t.Errorf("version %d of the %s was written by %d of 8", version, what, winners)
					}
					won++
				}
			}
			if r := verify(t, replicas[0]); r.Records != won {
				t.Errorf("%d audit records for %d winners", r.Records, won)
			}
			if due := must[map[string]int](t)(replicas[0].Due(t.Context(), newClock().Now())); due["won"] != int(won) {
				t.Errorf("%d items for %d winners", due["won"], won)
			}
		})
	}
}

func TestALostChangeLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t)
			r := request("r1")
			ok(t, commit(t, s, commands.Change{Request: &r, Audit: []audit.Event{event(audit.RemediationRequested)}}))
			ok(t, s.Put(t.Context(), commands.Item{Key: "k", Kind: "a", Body: []byte("1")}))
			l := must[commands.Lease](t)(s.Claim(t.Context(), "a"))
			second, skipped := request("r2"), r
			skipped.Version = 3
			bad := event(audit.RemediationConfirmed)
			bad.Outcome = ""
			full := func(c commands.Change) commands.Change {
				c.Lease, c.Done = &l, true
				c.Owner = &commands.Owner{Version: 1, Source: "acme", Account: account}
				c.Audit = append(c.Audit, event(audit.RemediationConfirmed))
				c.Queue = []commands.Item{{Key: "q", Kind: "q"}}
				return c
			}
			for name, tt := range map[string]struct {
				change commands.Change
				want   error
			}{
				"a version already taken":                {full(commands.Change{Request: &r}), commands.ErrConflict},
				"a version skipped":                      {full(commands.Change{Request: &skipped}), commands.ErrConflict},
				"a second open request for the key":      {full(commands.Change{Request: &second}), commands.ErrConflict},
				"an event that cannot be recorded":       {full(commands.Change{Audit: []audit.Event{bad}}), nil},
				"a block that somebody else has changed": {full(commands.Change{Block: &remediation.Block{Source: "x", Account: account, Version: 2}}), commands.ErrConflict},
			} {
				err := commit(t, s, tt.change)
				if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
					t.Errorf("%s: %v, want %v", name, err, tt.want)
				}
			}
			if rep := verify(t, s); rep.Records != 1 {
				t.Errorf("%d audit records, want the first alone", rep.Records)
			}
			if _, err := s.Owner(t.Context(), "acme", account); !errors.Is(err, commands.ErrNotFound) {
				t.Errorf("an owner was written: %v", err)
			}
			if due := must[map[string]int](t)(s.Due(t.Context(), newClock().Now())); due["q"] != 0 || due["a"] != 1 {
				t.Errorf("queue %v", due)
			}
			ok(t, s.Finish(t.Context(), l)) // it is still ours
		})
	}
}

func TestAKeyHasOneOpenRequestAndAnyNumberOfEndedOnes(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t)
			dated := request("n1")
			dated.Key.ID, dated.Key.Created = "", dated.Key.Created.Add(time.Hour)
			twin := request("t1")
			twin.Key.ID = "AKIAEXAMPLETWIN00001" // made in the same second as the first, and another all the same
			for _, r := range []remediation.Request{request("r1"), dated, twin} {
				ok(t, commit(t, s, commands.Change{Request: &r}))
			}
			for name, change := range map[string]func(*remediation.Request){
				"by the same name":               func(*remediation.Request) {},
				"by its date":                    func(r *remediation.Request) { r.Key.ID = "" },
				"by another entry":               func(r *remediation.Request) { r.Source = "lab" },
				"by its date and another entry":  func(r *remediation.Request) { r.Key.ID, r.Source = "", "lab" },
				"by an id, once known by a date": func(r *remediation.Request) { r.Key.ID, r.Key.Created = "AKIAEXAMPLEDATED0001", dated.Key.Created },
				"by no name at all":              func(r *remediation.Request) { r.Key = posture.Key{} },
			} {
				again := request("again")
				change(&again)
				if err := commit(t, s, commands.Change{Request: &again}); !errors.Is(err, commands.ErrConflict) {
					t.Errorf("a second request for a key, %s: %v", name, err)
				}
			}
			end := request("r1")
			end.Version, end.State = 2, remediation.Rejected
			ok(t, commit(t, s, commands.Change{Request: &end}))
			r2 := request("r2")
			ok(t, commit(t, s, commands.Change{Request: &r2}))
		})
	}
}

func TestTimeNeverRunsBackwardsInTheAuditLog(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t)
			late := event(audit.SwitchPaused)
			late.At = late.At.Add(time.Hour + 789*time.Nanosecond)
			early := event(audit.SwitchResumed)
			ok(t, commit(t, s, commands.Change{Audit: []audit.Event{late}}))
			receipt := must[audit.Receipt](t)(s.Commit(t.Context(), commands.Change{Audit: []audit.Event{early, early}}))
			if !receipt.At().Equal(late.At) {
				t.Errorf("recorded at %v, the record before is of %v", receipt.At(), late.At)
			}
			if last := must[time.Time](t)(s.LastAudit(t.Context())); !last.Equal(late.At) {
				t.Errorf("last audit %v, want %v", last, late.At)
			}
			leaves := must[[]audit.Leaf](t)(s.Audit(t.Context(), commands.AuditQuery{}))
			for i := 1; i < len(leaves); i++ {
				if leaves[i].At.After(leaves[i-1].At) {
					t.Errorf("record %d is later than the one after it", leaves[i].Seq)
				}
			}
		})
	}
}

func TestAnEmptyLogHasNoTimeAndAHeadOfNothing(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t)
			if at := must[time.Time](t)(s.LastAudit(t.Context())); !at.IsZero() {
				t.Errorf("last audit %v", at)
			}
			if h := must[audit.Head](t)(s.Head(t.Context())); h.Size != 0 {
				t.Errorf("head %v", h)
			}
			receipt := must[audit.Receipt](t)(s.Commit(t.Context(), commands.Change{Queue: []commands.Item{{Key: "k", Kind: "a"}}}))
			if receipt.Valid() {
				t.Error("a change without an audit event got a receipt")
			}
		})
	}
}

func TestALogThatGrowsWhileItIsReadIsNotTakenForATamperedOne(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			s := d.fresh(t)
			ok(t, commit(t, s, commands.Change{Audit: []audit.Event{event(audit.ScanStarted)}}))
			stop := make(chan struct{})
			var writers errgroup.Group
			for range 4 {
				writers.Go(func() error {
					for range 400 {
						select {
						case <-stop:
							return nil
						default:
						}
						if _, err := s.Commit(t.Context(), commands.Change{Audit: []audit.Event{event(audit.ScanStarted)}}); err != nil {
							return err
						}
					}
					return nil
				})
			}
			for range 10 {
				verify(t, s)
			}
			close(stop)
			ok(t, writers.Wait())
		})
	}
}
