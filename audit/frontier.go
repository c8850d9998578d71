package audit

import (
	"errors"

	"golang.org/x/mod/sumdb/tlog"
)

// frontier grows a tree from its leaves' hashes and keeps only the roots of its full subtrees, largest first.
type frontier struct {
	size  int64
	peaks []Hash
}

// node is an inner node that a leaf completed.
type node struct {
	index int64 // its stored index
	from  int64 // the first record under it
	hash  Hash
}

// push adds a leaf and returns the nodes above it that are now full, lowest first.
func (f *frontier) push(leaf Hash) []node {
	var done []node
	index, h := tlog.StoredHashIndex(0, f.size), leaf
	for level := 1; f.size>>(level-1)&1 == 1; level++ {
		h = tlog.NodeHash(f.peaks[len(f.peaks)-1], h)
		f.peaks = f.peaks[:len(f.peaks)-1]
		done = append(done, node{index: index + int64(level), from: f.size + 1 - 1<<level, hash: h})
	}
	f.peaks = append(f.peaks, h)
	f.size++
	return done
}

// head is the head of the tree so far.
func (f *frontier) head() Head {
	if f.size == 0 {
		h, _ := tlog.TreeHash(0, nil) // the empty tree reads nothing and cannot fail
		return Head{Hash: h}
	}
	h := f.peaks[len(f.peaks)-1]
	for i := len(f.peaks) - 2; i >= 0; i-- {
		h = tlog.NodeHash(f.peaks[i], h)
	}
	return Head{Size: f.size, Hash: h}
}

// shelf reads stored hashes a stretch at a time: one query per record would make the check as slow as the database.
type shelf struct {
	stored HashReader
	first  int64
	window []Hash
}

const stretch = 2048

// leaf is the stored hash of record seq. Reading ahead pays only at near, the next record to be read.
func (s *shelf) leaf(seq, near int64) (h Hash, ok bool, err error) {
	index := tlog.StoredHashIndex(0, seq)
	if seq >= near && seq-near < stretch {
		return s.at(index)
	}
	return s.one(index)
}

// one reads a single hash without moving the window.
func (s *shelf) one(index int64) (h Hash, ok bool, err error) {
	if i := index - s.first; i >= 0 && i < int64(len(s.window)) {
		return s.window[i], true, nil
	}
	got, err := s.read(index, 1)
	if err != nil || got == nil {
		return Hash{}, false, err
	}
	return got[0], true, nil
}

// at reads a hash and, with it, those that will be asked for next.
func (s *shelf) at(index int64) (h Hash, ok bool, err error) {
	if i := index - s.first; i >= 0 && i < int64(len(s.window)) {
		return s.window[i], true, nil
	}
	if s.stored == nil || index < s.first {
		return s.one(index)
	}
	for n := stretch; n > 0; n /= 4 {
		got, err := s.read(index, n)
		if err != nil {
			return Hash{}, false, err
		}
		if got != nil {
			s.first, s.window = index, got
			return got[0], true, nil
		}
	}
	return s.one(index)
}

// read returns nil without an error when one of the hashes is not there.
func (s *shelf) read(index int64, n int) ([]Hash, error) {
	if s.stored == nil {
		return nil, nil
	}
	indexes := make([]int64, n)
	for i := range indexes {
		indexes[i] = index + int64(i)
	}
	got, err := read(s.stored, indexes)
	if errors.Is(err, ErrNoHash) {
		return nil, nil
	}
	return got, err
}
