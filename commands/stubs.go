package commands

import (
	"context"
	"errors"
	"time"

	"github.com/rootcheck-bot/rootcheck/audit"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

var errNotYet = errors.New("not built yet")

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
func (s *Service) View(ctx context.Context, source string, account posture.AccountID) (AccountView, error) {
	return AccountView{}, errNotYet
}
func (s *Service) Request(ctx context.Context, id remediation.RequestID) (remediation.Request, error) {
	return remediation.Request{}, errNotYet
}
func (s *Service) Digest(ctx context.Context, at time.Time) (Digest, error) {
	return Digest{}, errNotYet
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
