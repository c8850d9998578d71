//go:build windows

package store

// syncFolder has nothing to do: Windows keeps the names of a folder by itself, and cannot be told to.
func syncFolder(string) error { return nil }
