package commands

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"
)

// liar is a directory that answers and fails at once, or answers about somebody else.
type liar struct {
	person Person
	in     bool
	shared bool
	err    error
}

func (d liar) Person(context.Context, string) (Person, error)  { return d.person, d.err }
func (d liar) Group(context.Context, string) ([]string, error) { return nil, d.err }
func (d liar) InChannel(context.Context, string) (bool, error) { return d.in, d.err }
func (d liar) Shared(context.Context) (bool, error)            { return d.shared, d.err }
func (d liar) ByEmail(context.Context, string) (string, error) { return d.person.User, d.err }

func TestADirectoryThatCannotBeBelievedAllowsNothing(t *testing.T) {
	t.Parallel()
	ben := Person{User: "UBEN", Team: "T1"}
	down := errors.New("does not answer")
	for name, c := range map[string]struct {
		team  string
		actor Actor
		says  liar
		want  RefusalCode
	}{
		"it answers with an error beside the person": {"T1", Actor{User: "UBEN", Team: "T1"}, liar{person: ben, err: down}, WhoUnknown},
		"it answers about somebody else":             {"T1", Actor{User: "UANA", Team: "T1"}, liar{person: ben}, WhoUnknown},
		"nobody is named, and it knows nobody":       {"T1", Actor{Team: "T1"}, liar{person: Person{Team: "T1"}}, WhoUnknown},
		"our own workspace is not known":             {"", Actor{User: "UBEN"}, liar{person: Person{User: "UBEN"}}, IsOutside},
	} {
		s := &Service{cfg: Config{Team: c.team}, d: Deps{Directory: c.says, Log: slog.New(slog.DiscardHandler)}}
		if _, no := s.person(t.Context(), c.actor); no == nil || no.Code != c.want {
			t.Errorf("%s: %+v, want %s", name, no, c.want)
		}
	}
	s := &Service{d: Deps{Directory: liar{in: true, err: down}, Log: slog.New(slog.DiscardHandler)}}
	if no := s.inChannel(t.Context(), "UBEN"); no == nil || no.Code != WhoUnknown {
		t.Errorf("a membership that could not be read: %+v", no)
	}
	if no := s.amongUs(t.Context(), nil); no == nil || no.Code != WhoUnknown {
		t.Errorf("a channel that could not be read: %+v", no)
	}
}

// hanging is a directory that answers nobody before they give up.
type hanging struct{ liar }

func (hanging) Person(ctx context.Context, _ string) (Person, error) {
	<-ctx.Done()
	return Person{}, ctx.Err()
}

func TestADirectoryThatHangsRefusesNobody(t *testing.T) {
	t.Parallel()
	// There is no ledger: whoever puts this on record would panic.
	s := &Service{cfg: Config{Team: "T1"}, d: Deps{Directory: hanging{}, Log: slog.New(slog.DiscardHandler)}}
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if err := s.May(ctx, Actor{User: "UBEN", Team: "T1"}, ActConfirm); err == nil || refusal(err) != nil || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it was answered %v, want an error that is no refusal", err)
	}
}
