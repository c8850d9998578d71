//go:build !linux

package store

// networkFileSystem cannot tell on this operating system.
func networkFileSystem(string) string { return "" }

// diskSpace cannot tell on this operating system.
func diskSpace(string) (free, total uint64, ok bool, err error) { return 0, 0, false, nil }
