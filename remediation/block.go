package remediation

import (
	"slices"
	"time"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// Origin is whose block it is. Only one of ours is ever detached.
type Origin string

// The origins.
const (
	OriginOurs  Origin = "ours"
	OriginFound Origin = "found"
)

// Block is the quarantine of one account's root user. It is the account's, not a key's: several requests may need it.
type Block struct {
	Source   string            `json:"source"`
	Account  posture.AccountID `json:"account"`
	Version  int               `json:"version"`
	Origin   Origin            `json:"origin,omitempty"`
	Attached bool              `json:"attached"`
	Since    time.Time         `json:"since,omitzero"`
	Holders  []RequestID       `json:"holders,omitempty"`
}

// Intend notes that a request is about to block the account. Until [Block.Hold] says that it did, the block may or may not
// be attached: whoever releases it must look. If found, the policy was attached before we came.
func (b Block) Intend(id RequestID, found bool, now time.Time) Block {
	if found {
		return b.Hold(id, true, now)
	}
	b.Holders = slices.Clone(b.Holders)
	if !b.Attached {
		b.Origin = OriginOurs
	}
	if !slices.Contains(b.Holders, id) {
		b.Holders = append(b.Holders, id)
	}
	b.Version++
	return b
}

// Holds reports whether a request is among those that need the block.
func (b Block) Holds(id RequestID) bool { return slices.Contains(b.Holders, id) }

// Hold adds a request to those that need the block. If found, the policy was attached before we came.
func (b Block) Hold(id RequestID, found bool, now time.Time) Block {
	b.Holders = slices.Clone(b.Holders)
	if !b.Attached {
		b.Origin, b.Since = OriginOurs, now
		if found {
			b.Origin = OriginFound
		}
	}
	b.Attached = true
	if !slices.Contains(b.Holders, id) {
		b.Holders = append(b.Holders, id)
	}
	b.Version++
	return b
}

// Release takes a request out. If detach, nobody needs the block any more and it is ours to take away, also where it was
// only intended: then AWS tells whether there is anything to take away.
func (b Block) Release(id RequestID) (next Block, detach bool) {
	b.Holders = slices.DeleteFunc(slices.Clone(b.Holders), func(h RequestID) bool { return h == id })
	b.Version++
	return b, len(b.Holders) == 0 && b.Origin == OriginOurs
}

// Detached records that the policy was read to be off the account.
func (b Block) Detached() Block {
	b.Attached, b.Origin, b.Since, b.Holders = false, "", time.Time{}, nil
	b.Version++
	return b
}
