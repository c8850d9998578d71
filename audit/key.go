package audit

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

const (
	detailKey    = "verifier"
	detailBefore = "before"
)

// NewKey is the event of a key that signs heads from here on. A log begins with one, and a rotation writes another, so that
// the log itself tells every public key that ever signed for it. The public key before is empty for the first. The error
// is for a text that is no public key.
func NewKey(by Actor, at time.Time, verifier, before string) (Event, error) {
	if err := CheckVerifier(verifier); err != nil {
		return Event{}, fmt.Errorf("record the signing key: %w", err)
	}
	detail := map[string]string{detailKey: verifier}
	if before != "" {
		detail[detailBefore] = before
	}
	return Event{At: at, Actor: by, Action: KeyCreated, Outcome: OutcomeDone, Detail: detail}, nil
}

// KeyOf is the public key that a record brought into use, empty for a record of anything else.
func KeyOf(l Leaf) (verifier string) {
	if l.Action != KeyCreated || l.Outcome != OutcomeDone {
		return ""
	}
	if CheckVerifier(l.Detail[detailKey]) != nil {
		return ""
	}
	return l.Detail[detailKey]
}

// CheckVerifier returns an error for a text that is no public key, as [Signer.Verifier] gives one.
func CheckVerifier(text string) error {
	if _, err := note.NewVerifier(strings.TrimSpace(text)); err != nil {
		return errors.New("not a public key of the form name+hash+data")
	}
	return nil
}
