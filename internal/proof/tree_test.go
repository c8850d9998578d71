package proof_test

import (
	"golang.org/x/mod/sumdb/tlog"
)

// The tree of a log as its definition has it, for whoever forges one.

func hashOf(raw []byte) []byte {
	h := tlog.RecordHash(raw)
	return h[:]
}

func leafAt(seq int) int64 { return tlog.StoredHashIndex(0, int64(seq)) }

// treeOf is every stored hash of a log of these records.
func treeOf(records [][]byte) (stored [][]byte) {
	read := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(at))
		for i, p := range at {
			copy(found[i][:], stored[p])
		}
		return found, nil
	})
	for i, raw := range records {
		hashes, err := tlog.StoredHashes(int64(i), raw, read)
		if err != nil {
			panic(err) // of a reader that cannot fail
		}
		for _, h := range hashes {
			stored = append(stored, append([]byte{}, h[:]...))
		}
	}
	return stored
}
