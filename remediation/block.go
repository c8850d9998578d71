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

// Off is how a block of ours came off the account: with one request, for all that held it. Its zero value says nothing.
type Off struct {
	With RequestID `json:"with,omitempty"`
	Lift bool      `json:"lift,omitempty"` // for a while: with the same request it comes back
	Step Step      `json:"step,omitzero"`  // what was asked for, and who confirmed it
}

// Block is the quarantine of one account's root user. It is the account's, not a key's: several requests may need it.
type Block struct {
	Source   string            `json:"source"`
	Account  posture.AccountID `json:"account"`
	Version  int               `json:"version"`
	Origin   Origin            `json:"origin,omitempty"`
	Attached bool              `json:"attached"`
	Since    time.Time         `json:"since,omitzero"`
	Changed  time.Time         `json:"changed,omitzero"` // when it was last noted to have come on or off; older readings tell nothing of it
	Holders  []RequestID       `json:"holders,omitempty"`
	Off      Off               `json:"off,omitzero"`   // how it came off last; forgotten when it is back
	Kept     bool              `json:"kept,omitempty"` // nobody needs it any more, and it stays because of a key that appeared
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

// Undoable reports whether a request may take the block away: it is ours, and the request is among those that need it.
func (b Block) Undoable(id RequestID) bool { return b.Origin == OriginOurs && b.Holds(id) }

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
	if !b.Attached {
		b.Changed = now
	}
	b.Attached, b.Off, b.Kept = true, Off{}, false
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

// Keep records that the block stays although nobody needs it any more, in the name of a request that has ended. See
// [Request.Keeps].
func (b Block) Keep(id RequestID) Block {
	if !b.Holds(id) {
		b.Holders = append(slices.Clone(b.Holders), id)
	}
	b.Kept = true
	b.Version++
	return b
}

// Undone records that an undo took the block away from everybody who held it.
func (b Block) Undone(r Request, now time.Time) Block {
	b = b.Detached(now)
	b.Off = Off{With: r.ID, Step: r.Present()}
	return b
}

// Lifted records that the block is off for a while. Its holders stay. Whatever is attached meanwhile is not ours: our own
// comes back with an attempt of its own.
func (b Block) Lifted(r Request, now time.Time) Block {
	b.Attached, b.Since, b.Origin, b.Changed = false, time.Time{}, "", now
	b.Off = Off{With: r.ID, Lift: true, Step: r.Present()}
	b.Version++
	return b
}

// TakenOff is how the block came off for a request that needs it, or nothing where nothing of ours took it off.
func (b Block) TakenOff(id RequestID) Off {
	if b.Attached || b.Off.With == id {
		return Off{}
	}
	return b.Off
}

// Detached records that the policy was read to be off the account.
func (b Block) Detached(now time.Time) Block {
	b.Changed, b.Attached, b.Origin, b.Since, b.Holders, b.Off, b.Kept = now, false, "", time.Time{}, nil, Off{}, false
	b.Version++
	return b
}
