//go:build !linux

package store_test

import "errors"

func mountSmall(string, string) error { return errors.New("not on this system") }

func unmount(string) error { return nil }
