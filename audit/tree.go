package audit

import "golang.org/x/mod/sumdb/tlog"

// Hash is a node of the tree.
type Hash = tlog.Hash

// Head says everything about a log in two values: how many records it holds, and the root of the tree over them.
type Head struct {
	Size int64
	Hash Hash
}
