package commands

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

var errNotYet = errors.New("not built yet")

// Ask is what a person filled in. Key is the fingerprint that the card carried; TypedAccount and TypedKey are compared
// with the truth before anything else happens.
type Ask struct {
	Source       string
	Account      posture.AccountID
	Key          string // fingerprint; empty where no key id is known
	TypedAccount string
	TypedKey     string // the last four to deactivate, the whole id to delete and in an emergency
	Reason       string
	Override     string // why a key in use is deleted all the same
}

// Preview is what a modal shows before anything is asked: AWS as it is now.
type Preview struct {
	View    AccountView
	Facts   remediation.Facts
	Key     posture.Key          // as AWS shows it now
	Present bool                 // the key is there
	Request *remediation.Request // the open one, where there is one
	Act     remediation.Act
	Means   remediation.Means
	Affects []posture.Key           // the other keys that the same step puts out of use
	Voids   []remediation.RequestID // the other requests that an undo would void
	InUse   bool                    // used within the guard period: deleting it wants an override
}

func (s *Service) List(ctx context.Context, a Actor, query string, page int) (List, error) {
	return List{}, errNotYet
}
func (s *Service) Account(ctx context.Context, a Actor, word string) (AccountView, error) {
	return AccountView{}, errNotYet
}
func (s *Service) Keys(ctx context.Context, a Actor, word string) ([]AccountView, error) {
	return nil, errNotYet
}
func (s *Service) Status(ctx context.Context, a Actor) (Status, error) { return Status{}, errNotYet }
func (s *Service) Requests(ctx context.Context, a Actor, all bool) ([]remediation.Request, error) {
	return nil, errNotYet
}
func (s *Service) AuditTrail(ctx context.Context, a Actor, word string) ([]audit.Leaf, error) {
	return nil, errNotYet
}
func (s *Service) CheckNow(ctx context.Context, a Actor) (Run, error) { return Run{}, errNotYet }
func (s *Service) DigestNow(ctx context.Context, a Actor) error       { return errNotYet }
func (s *Service) Home(ctx context.Context, a Actor) (List, []remediation.Request, error) {
	return List{}, nil, errNotYet
}
func (s *Service) Preview(ctx context.Context, a Actor, source string, account posture.AccountID, key string, id remediation.RequestID) (Preview, error) {
	return Preview{}, errNotYet
}
func (s *Service) View(ctx context.Context, source string, account posture.AccountID) (AccountView, error) {
	return AccountView{}, errNotYet
}
func (s *Service) Request(ctx context.Context, id remediation.RequestID) (remediation.Request, error) {
	return remediation.Request{}, errNotYet
}
func (s *Service) Digest(ctx context.Context, at time.Time) (Digest, error) {
	return Digest{}, errNotYet
}
func (s *Service) RequestDeactivate(ctx context.Context, a Actor, q Ask) (remediation.Request, error) {
	return remediation.Request{}, errNotYet
}
func (s *Service) BreakGlass(ctx context.Context, a Actor, q Ask) (remediation.Request, error) {
	return remediation.Request{}, errNotYet
}
func (s *Service) RequestDelete(ctx context.Context, a Actor, id remediation.RequestID, version int, q Ask) (remediation.Request, error) {
	return remediation.Request{}, errNotYet
}
func (s *Service) RequestReactivate(ctx context.Context, a Actor, id remediation.RequestID, version int, reason string) (remediation.Request, error) {
	return remediation.Request{}, errNotYet
}
func (s *Service) RequestLift(ctx context.Context, a Actor, id remediation.RequestID, version int, reason string) (remediation.Request, error) {
	return remediation.Request{}, errNotYet
}
func (s *Service) Confirm(ctx context.Context, a Actor, id remediation.RequestID, version int, typedKey string) (remediation.Request, error) {
	return remediation.Request{}, errNotYet
}
func (s *Service) Reject(ctx context.Context, a Actor, id remediation.RequestID, version int, reason string) (remediation.Request, error) {
	return remediation.Request{}, errNotYet
}
func (s *Service) Cancel(ctx context.Context, a Actor, id remediation.RequestID, version int) (remediation.Request, error) {
	return remediation.Request{}, errNotYet
}
func (s *Service) KeyStepDone(ctx context.Context, a Actor, id remediation.RequestID) (remediation.Request, error) {
	return remediation.Request{}, errNotYet
}
func (s *Service) Pause(ctx context.Context, a Actor, reason string) error { return errNotYet }
func (s *Service) Resume(ctx context.Context, a Actor) error               { return errNotYet }
func (s *Service) Mute(ctx context.Context, a Actor, source string, account posture.AccountID, control posture.Control, reason string, until time.Time) error {
	return errNotYet
}
func (s *Service) Unmute(ctx context.Context, a Actor, source string, account posture.AccountID, control posture.Control) error {
	return errNotYet
}
func (s *Service) InstructMFA(ctx context.Context, a Actor, word string) (Owner, error) {
	return Owner{}, errNotYet
}
func (s *Service) ReleaseOwners(ctx context.Context, a Actor) (int, error) { return 0, errNotYet }
func (s *Service) ClaimOwner(ctx context.Context, a Actor, source string, account posture.AccountID) (Owner, error) {
	return Owner{}, errNotYet
}
func (s *Service) AssignOwner(ctx context.Context, a Actor, source string, account posture.AccountID, user string) (Owner, error) {
	return Owner{}, errNotYet
}
func (s *Service) ConfirmOwner(ctx context.Context, a Actor, source string, account posture.AccountID) (Owner, error) {
	return Owner{}, errNotYet
}
func (s *Service) DeclineOwner(ctx context.Context, a Actor, source string, account posture.AccountID) (Owner, error) {
	return Owner{}, errNotYet
}
func (s *Service) ChooseDevice(ctx context.Context, a Actor, source string, account posture.AccountID, device, system string) (Owner, error) {
	return Owner{}, errNotYet
}
func (s *Service) MFADone(ctx context.Context, a Actor, source string, account posture.AccountID) (posture.Evidence, Owner, error) {
	return posture.Evidence{}, Owner{}, errNotYet
}
func (s *Service) RemindTomorrow(ctx context.Context, a Actor, source string, account posture.AccountID) (Owner, error) {
	return Owner{}, errNotYet
}
func (s *Service) Handlers() map[string]Handler { return map[string]Handler{} }

// Worker does the items of the queue.
type Worker struct{}

func NewWorker(q Queue, ledger Ledger, handlers map[string]Handler, now func() time.Time, log *slog.Logger) *Worker {
	return &Worker{}
}

// Run works until the context ends, and returns after what was begun has ended.
func (w *Worker) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Settled waits until nothing is due, and reports false when the context ended first.
func (w *Worker) Settled(ctx context.Context) bool { return true }
