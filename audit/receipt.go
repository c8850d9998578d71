package audit

import "time"

// Receipt proves that an event was committed to the log. Its zero value proves nothing, and nothing outside the store
// has a reason to make another: a permit to change AWS is given only against a receipt for that very attempt.
type Receipt struct {
	leaf   Leaf
	head   Head
	sealed bool
}

// Sealed makes the receipt of a leaf that was committed, in the log that has this head afterwards. Only the store calls
// it, after its transaction has committed; a receipt made earlier would vouch for a record that a crash can still lose.
// Where one change writes several events, its receipt is for the last. A leaf outside the head, or one whose event
// cannot be recorded, gives the zero Receipt.
func Sealed(leaf Leaf, head Head) Receipt {
	if leaf.Seq < 0 || leaf.Seq >= head.Size || leaf.form() != nil {
		return Receipt{}
	}
	leaf.Event = leaf.Event.Normal()
	return Receipt{leaf: leaf, head: head, sealed: true}
}

// Valid reports whether the receipt was made by [Sealed] for a committed event.
func (r Receipt) Valid() bool { return r.sealed }

// Seq is the record's place in the log, or -1 for the zero Receipt.
func (r Receipt) Seq() int64 {
	if !r.sealed {
		return -1
	}
	return r.leaf.Seq
}

// At is when the event happened, or the zero time for the zero Receipt.
func (r Receipt) At() time.Time { return r.leaf.At }

// Event is the event as the log keeps it. The caller owns it. The zero Receipt has the zero Event.
func (r Receipt) Event() Event {
	if !r.sealed {
		return Event{}
	}
	return r.leaf.Event.Normal()
}

// Head is the log's head after the commit.
func (r Receipt) Head() Head { return r.head }

// For reports whether the receipt is for this action on this request at this version: what a permit asks of it.
func (r Receipt) For(action Action, request string, version int) bool {
	return r.sealed && r.leaf.Action == action && r.leaf.Request == request && r.leaf.Version == version
}
