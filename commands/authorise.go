package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// This file decides who may do what. The rules are:
//   - What the envelope says of a person is a claim. The directory is asked each time; nothing is cached here, so that
//     somebody who was removed a moment ago confirms nothing.
//   - Nobody may do anything who is not a live, full member of our own workspace.
//   - In a channel that another company sees, nothing is asked and nothing is confirmed. Stopping what is under way stays
//     possible.
//   - A directory that does not answer allows nothing. A group that cannot be read is empty, and the refusal names it.

// The acts that [Service.May] knows.
const (
	ActLook       = "look"        // members of the bot's channel
	ActRequest    = "request"     // requesters: deactivate, delete, reactivate, lift, mute, mfa, digest
	ActConfirm    = "confirm"     // approvers; that it is not the requester is the machine's rule
	ActReject     = "reject"      // approvers
	ActCancel     = "cancel"      // requesters and approvers
	ActPause      = "pause"       // approvers
	ActResume     = "resume"      // approvers
	ActBreakGlass = "break_glass" // approvers
	ActOwner      = "owner"       // anybody named; it counts after an approver confirmed it
)

// person asks the directory who the actor is.
func (s *Service) person(ctx context.Context, a Actor) (Person, *Refusal) {
	if a.User == "" {
		return Person{}, &Refusal{Code: WhoUnknown}
	}
	if s.cfg.Team == "" || a.Team != s.cfg.Team {
		return Person{}, &Refusal{Code: IsOutside}
	}
	return s.live(ctx, a.User)
}

// live asks whether a user is a live person of our own workspace.
func (s *Service) live(ctx context.Context, user string) (Person, *Refusal) {
	p, err := s.d.Directory.Person(ctx, user)
	if err != nil {
		s.d.Log.WarnContext(ctx, "directory did not answer", "user", user, "error", err)
		return p, &Refusal{Code: WhoUnknown}
	}
	return p, s.full(p, user)
}

// full refuses whom the directory does not describe as a full member of our own workspace, and as the user that was asked for.
func (s *Service) full(p Person, user string) *Refusal {
	switch {
	case p.User != user:
		return &Refusal{Code: WhoUnknown}
	case p.Outside, p.Team != s.cfg.Team:
		return &Refusal{Code: IsOutside}
	case p.Deleted:
		return &Refusal{Code: IsDeactivated}
	case p.Bot:
		return &Refusal{Code: IsBot}
	case p.Guest:
		return &Refusal{Code: IsGuest}
	}
	return nil
}

// sameAs reports whether a person is also the user, who may have a second account with the same email. One whom Slack does
// not know any more is somebody else; a directory that does not answer decides nothing.
func (s *Service) sameAs(ctx context.Context, by remediation.Person, user string) (bool, *Refusal) {
	if user == "" || by.User == user {
		return user != "", nil
	}
	p, err := s.d.Directory.Person(ctx, user)
	switch {
	case errors.Is(err, ErrNotFound):
		return false, nil
	case err != nil:
		s.d.Log.WarnContext(ctx, "directory did not answer", "user", user, "error", err)
		return false, &Refusal{Code: WhoUnknown}
	}
	return by.Is(remediation.Person{User: p.User, Email: p.Email}), nil
}

// among reports whether a live person belongs to the people, and names the groups that could not be read.
func (s *Service) among(ctx context.Context, who People, user string) (yes bool, unread []string) {
	if slices.Contains(who.Users, user) {
		return true, nil
	}
	for _, g := range who.Groups {
		members, err := s.d.Directory.Group(ctx, g)
		if err != nil {
			s.d.Log.WarnContext(ctx, "user group could not be read", "group", g, "error", err)
			unread = append(unread, g)
			continue
		}
		if slices.Contains(members, user) {
			return true, unread
		}
	}
	return false, unread
}

// requesters are the people who may ask for changes to the accounts of a source.
func (s *Service) requesters(source string) People {
	if c, ok := s.cfg.Sources[source]; ok && !c.Requesters.empty() {
		return c.Requesters
	}
	return s.cfg.Requesters
}

// permit asks whether the actor may do the act. The source narrows who the requesters are; an empty one means those of
// any source. The refusal is not recorded yet.
func (s *Service) permit(ctx context.Context, a Actor, act, source string) (remediation.Person, *Refusal) {
	p, refusal := s.person(ctx, a)
	if refusal != nil {
		return remediation.Person{}, refusal
	}
	who := remediation.Person{User: p.User, Team: p.Team, Email: p.Email}
	switch act {
	case ActLook:
		return who, s.inChannel(ctx, p.User)
	case ActOwner:
		return who, nil
	case ActRequest:
		return who, s.inTime(a, s.amongUs(ctx, s.oneOf(ctx, p.User, NotRequester, s.askers(source)...)))
	case ActCancel:
		return who, s.oneOf(ctx, p.User, NotRequester, append(s.askers(source), s.cfg.Approvers)...)
	case ActConfirm, ActReject, ActPause, ActResume, ActBreakGlass:
		no := s.oneOf(ctx, p.User, NotApprover, s.cfg.Approvers)
		switch {
		case no != nil && no.Code == NotApprover:
			no.Args = map[string]string{"who": s.others(p.User)}
		case act != ActReject && act != ActPause:
			no = s.inTime(a, s.amongUs(ctx, no))
		}
		return who, no
	default:
		return who, &Refusal{Code: NotApprover}
	}
}

// amongUs refuses what would be allowed otherwise while another company sees the channel.
func (s *Service) amongUs(ctx context.Context, no *Refusal) *Refusal {
	if no != nil {
		return no
	}
	shared, err := s.d.Directory.Shared(ctx)
	switch {
	case err != nil:
		s.d.Log.WarnContext(ctx, "whether the channel is shared could not be read", "error", err)
		return &Refusal{Code: WhoUnknown}
	case shared:
		return &Refusal{Code: ChannelShared}
	}
	return nil
}

// clickLives is how long after it was made a click still decides something. What stops something is never too late.
const clickLives = 10 * time.Minute

// inTime refuses what would be allowed otherwise where the bot was away for so long that whoever clicked may have thought
// better of it. The click is not lost: it is answered, and on record.
func (s *Service) inTime(a Actor, no *Refusal) *Refusal {
	if no != nil || a.At.IsZero() || s.d.Now().Sub(a.At) <= clickLives {
		return no
	}
	return &Refusal{Code: TooLate, Args: map[string]string{"when": when(a.At)}}
}

func (s *Service) askers(source string) []People {
	if source != "" {
		return []People{s.requesters(source)}
	}
	all := []People{s.cfg.Requesters}
	for _, c := range s.cfg.Sources {
		all = append(all, c.Requesters)
	}
	return all
}

func (s *Service) oneOf(ctx context.Context, user string, no RefusalCode, sets ...People) *Refusal {
	var unread []string
	for _, set := range sets {
		yes, u := s.among(ctx, set, user)
		if yes {
			return nil
		}
		unread = append(unread, u...)
	}
	if len(unread) > 0 {
		slices.Sort(unread)
		return &Refusal{Code: GroupUnreadable, Args: map[string]string{"group": strings.Join(slices.Compact(unread), " ")}}
	}
	return &Refusal{Code: no}
}

func (s *Service) inChannel(ctx context.Context, user string) *Refusal {
	in, err := s.d.Directory.InChannel(ctx, user)
	switch {
	case err != nil:
		s.d.Log.WarnContext(ctx, "channel membership could not be read", "user", user, "error", err)
		return &Refusal{Code: WhoUnknown}
	case !in:
		return &Refusal{Code: NotInChannel}
	}
	return nil
}

// unreadable lists the groups of approvers and requesters that cannot be read just now, for status and digest.
func (s *Service) unreadable(ctx context.Context) []string {
	groups := slices.Concat(s.cfg.Approvers.Groups, s.cfg.Requesters.Groups)
	for _, c := range s.cfg.Sources {
		groups = append(groups, c.Requesters.Groups...)
	}
	slices.Sort(groups)
	var bad []string
	for _, g := range slices.Compact(groups) {
		if _, err := s.d.Directory.Group(ctx, g); err != nil {
			bad = append(bad, g)
		}
	}
	return bad
}

// May asks whether the actor may do one of the acts. It returns nil or a [Refusal], which is on record then. When the
// context ends first, nobody knows: that is another error, and no refusal.
func (s *Service) May(ctx context.Context, a Actor, act string) error {
	_, refusal := s.permit(ctx, a, act, "")
	if refusal == nil {
		return nil
	}
	if err := gaveUp(ctx, refusal); err != nil {
		return err
	}
	return s.refused(ctx, a, subject{act: act}, refusal)
}

// gaveUp is an error where nobody could be asked because the caller did not wait: that says nothing of the person, and is no
// refusal.
func gaveUp(ctx context.Context, no *Refusal) error {
	if err := ctx.Err(); err != nil && (no.Code == WhoUnknown || no.Code == GroupUnreadable) {
		return fmt.Errorf("ask what somebody may do: %w", err)
	}
	return nil
}

// Refuse puts on record that what somebody clicked names nothing that is known, and returns the [Refusal]. Who may do
// nothing at all is refused for that.
func (s *Service) Refuse(ctx context.Context, a Actor, act string, code RefusalCode) error {
	_, no := s.person(ctx, a)
	if no == nil {
		no = &Refusal{Code: code}
	}
	return s.refused(ctx, a, subject{act: audit.Mask(act[:min(len(act), maxAct)])}, no)
}

// maxAct bounds the name of an act on record, which may be forged.
const maxAct = 100

// look lets members of the channel look, at the paces that are named.
func (s *Service) look(ctx context.Context, a Actor, paces ...pace) error {
	_, refusal := s.permit(ctx, a, ActLook, "")
	for _, p := range paces {
		if refusal == nil {
			refusal = s.tooSoon(a.User, p)
		}
	}
	if refusal == nil {
		return nil
	}
	return s.refused(ctx, a, subject{act: ActLook}, refusal)
}

// pace is how often a person may do something: so often at once, and then once in every span.
type pace struct {
	burst int
	every time.Duration
}

// What one person does makes a few messages, of which Slack takes one a second. At these paces nobody alone can fill the queue
// so that others wait. Confirming, rejecting, cancelling, pausing and resuming are never counted: each ends what is there,
// and must not be held up.
func looking() pace { return pace{burst: 20, every: 12 * time.Second} }
func asking() pace  { return pace{burst: 40, every: 6 * time.Second} }

// Each page of a list, and each Home tab, reads all that is known. A person turns over a page in two seconds at the fastest.
func paging() pace { return pace{burst: 60, every: 2 * time.Second} }

// Checks that people begin are counted for all of them together: each asks AWS about every account, and leaves a trace in
// every account's event history. Whoever attaches to one begins none.
func checking() pace { return pace{burst: 12, every: 5 * time.Minute} }

// everybody is who is counted where all people count as one.
const everybody = ""

// tooSoon counts an act of a user, and refuses it when there were too many. Each replica counts for itself.
func (s *Service) tooSoon(user string, p pace) *Refusal {
	now := s.d.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	who := paced{user, p}
	l := s.paces[who]
	if l == nil {
		l = rate.NewLimiter(rate.Every(p.every), p.burst)
		s.paces[who] = l
	}
	r := l.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
		return &Refusal{Code: TooSoon, Args: map[string]string{"wait": strconv.Itoa(int(math.Ceil(wait.Seconds())))}}
	}
	return nil
}

// paced is one user's pace at one kind of act.
type paced struct {
	user string
	pace pace
}

// permitCounted is permit for an act that makes work for others, which is counted.
func (s *Service) permitCounted(ctx context.Context, a Actor, act, source string) (remediation.Person, *Refusal) {
	by, no := s.permit(ctx, a, act, source)
	if no == nil {
		no = s.tooSoon(a.User, asking())
	}
	return by, no
}

// subject is what a refused act was about, for its record.
type subject struct {
	act     string
	request *remediation.Request
	source  string
	account posture.AccountID
	key     posture.KeyID
}

// refused records a refusal and returns it. It is refused also where the record cannot be written: that is logged, and
// nothing was done that would need the record.
func (s *Service) refused(ctx context.Context, a Actor, about subject, r *Refusal) error {
	e := audit.Event{
		At: s.d.Now(), Actor: audit.User(cmp.Or(a.User, "unknown"), a.Team), Action: audit.RemediationRefused,
		Outcome: audit.OutcomeRefused, Reason: string(r.Code), Source: about.source, Account: string(about.account),
		Key: handle(about.key), Detail: map[string]string{"act": about.act},
	}
	if r.Code.access() {
		e.Action = audit.AccessRefused
	}
	if q := about.request; q != nil {
		e.Request, e.Version, e.Source, e.Account, e.Key = string(q.ID), q.Version, q.Source, string(q.Account), handle(q.Key.ID)
		e.From, e.To, e.Snapshot = string(q.State), string(q.State), q.SnapshotHash()
	}
	if a.Channel != "" {
		e.Detail["channel"] = a.Channel
	}
	if _, err := s.d.Ledger.Commit(context.WithoutCancel(ctx), Change{Audit: []audit.Event{e}}); err != nil {
		s.d.Log.ErrorContext(ctx, "refusal could not be recorded", "code", string(r.Code), "error", err)
	}
	return r
}

// access reports whether the code refuses the person, whatever was asked.
func (c RefusalCode) access() bool {
	return slices.Contains([]RefusalCode{
		NotInChannel, NotRequester, NotApprover, NotOwner, IsGuest, IsOutside, IsBot, IsDeactivated, WhoUnknown,
		GroupUnreadable, TooSoon,
	}, c)
}

// refusal finds the refusal in an error.
func refusal(err error) *Refusal {
	r, _ := errors.AsType[*Refusal](err)
	return r
}

// handle is a key as the audit log names it.
func handle(k posture.KeyID) string {
	if k == "" {
		return ""
	}
	return k.Mask() + "#" + k.Fingerprint()
}
