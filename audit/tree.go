package audit

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Hash is a node of the tree, and prints as standard base64.
type Hash = tlog.Hash

// HashReader reads hashes that the store keeps, by their stored index. It returns as many hashes as it was asked for, or
// an error that wraps [ErrNoHash] when one of them is not there.
type HashReader = tlog.HashReader

// HashReaderFunc is a function as a [HashReader].
type HashReaderFunc = tlog.HashReaderFunc

// ErrNoHash means that the store keeps no hash at an index.
var ErrNoHash = errors.New("no hash stored there")

// maxSize bounds the size of a log. The arithmetic of package tlog does not end for sizes near 1<<63, and a size may come
// from a head that somebody typed.
const maxSize = 1 << 48

// Head says everything about a log in two values: how many records it holds, and the root of the tree over them.
type Head struct {
	Size int64
	Hash Hash
}

// String is the head as people compare it: "size 1234 · hash …", whole.
func (h Head) String() string { return fmt.Sprintf("size %d · hash %s", h.Size, h.Hash) }

// Origin is what a process says of itself in each record that it writes.
type Origin struct {
	Replica string // empty where there is only one process
	Build   string // the version of the binary
}

// Extension is what the store writes when events are appended, all of it in the transaction of the change they speak of.
type Extension struct {
	Leaves  []Leaf   // in the order of the events, numbered
	Records [][]byte // their canonical bytes
	First   int64    // the stored index of Hashes[0]; the others follow without a gap
	Hashes  []Hash
	Head    Head // the log's head afterwards
}

// Extend computes what to store so that events become the records size, size+1, … of a log that has size records now.
// Of the stored hashes it reads at most 2 log₂(size) for all events together. The store serialises its callers: two
// extensions of one size are two histories. An error means that nothing may be committed.
func Extend(size int64, stored HashReader, from Origin, events ...Event) (Extension, error) {
	if err := sized(size); err != nil {
		return Extension{}, fmt.Errorf("extend audit log: %w", err)
	}

	x := Extension{First: tlog.StoredHashCount(size)}
	both := HashReaderFunc(func(indexes []int64) ([]Hash, error) { return x.overlay(indexes, stored) })
	for i, e := range events {
		if err := e.Normal().Check(); err != nil {
			return Extension{}, err
		}
		l := Leaf{Seq: size + int64(i), Event: e, Replica: from.Replica, Build: from.Build}.Normal()
		raw, err := Encode(l)
		if err != nil {
			return Extension{}, err
		}
		hashes, err := tlog.StoredHashes(l.Seq, raw, both)
		if err != nil {
			return Extension{}, fmt.Errorf("hash record %d: %w", l.Seq, err)
		}
		x.Leaves = append(x.Leaves, l)
		x.Records = append(x.Records, raw)
		x.Hashes = append(x.Hashes, hashes...)
	}

	var err error
	x.Head, err = HeadOf(size+int64(len(events)), both)
	return x, err
}

// overlay answers from the extension's own hashes where they hold the index, and asks the store for all others at once.
func (x *Extension) overlay(indexes []int64, stored HashReader) ([]Hash, error) {
	out := make([]Hash, len(indexes))
	var ask []int64
	for i, index := range indexes {
		if index < x.First {
			ask = append(ask, index)
		} else if at := index - x.First; at < int64(len(x.Hashes)) {
			out[i] = x.Hashes[at]
		} else {
			return nil, fmt.Errorf("hash %d: %w", index, ErrNoHash)
		}
	}
	if len(ask) == 0 {
		return out, nil
	}

	got, err := read(stored, ask)
	if err != nil {
		return nil, err
	}
	for i, index := range indexes {
		if index < x.First {
			out[i], got = got[0], got[1:]
		}
	}
	return out, nil
}

func read(r HashReader, indexes []int64) ([]Hash, error) {
	got, err := present(r).ReadHashes(indexes)
	if err != nil {
		return nil, fmt.Errorf("read stored hashes: %w", err)
	}
	if len(got) != len(indexes) {
		return nil, fmt.Errorf("read stored hashes: asked for %d, got %d", len(indexes), len(got))
	}
	return got, nil
}

// present is r, or for no reader at all one that has nothing.
func present(r HashReader) HashReader {
	if r != nil {
		return r
	}
	return HashReaderFunc(func(indexes []int64) ([]Hash, error) {
		if len(indexes) == 0 {
			return nil, nil
		}
		return nil, ErrNoHash
	})
}

func sized(size int64) error {
	if size < 0 || size > maxSize {
		return fmt.Errorf("a log cannot have %d records", size)
	}
	return nil
}

// HeadOf computes the head of the first size records from the stored hashes.
func HeadOf(size int64, stored HashReader) (Head, error) {
	if err := sized(size); err != nil {
		return Head{}, fmt.Errorf("compute head: %w", err)
	}
	h, err := tlog.TreeHash(size, present(stored))
	if err != nil {
		return Head{}, fmt.Errorf("compute head of size %d: %w", size, err)
	}
	return Head{Size: size, Hash: h}, nil
}
