package proof_test

import (
	"os"
	"runtime"
	"testing"
)

// size is how much of a proof is run.
type size int

const (
	quick size = iota // what a newcomer waits for
	full              // what every change must pass
	long              // everything
)

func sizeOf(t testing.TB) size {
	t.Helper()
	switch v := os.Getenv("ROOTCHECK_PROOF"); v {
	case "":
		return quick
	case "full":
		return full
	case "long":
		return long
	default:
		t.Fatalf("ROOTCHECK_PROOF is %q: leave it empty, or write full or long", v)
		return quick
	}
}

// pick is the figure for the size of this run.
func pick[T any](t testing.TB, ofQuick, ofFull, ofLong T) T {
	t.Helper()
	return []T{ofQuick, ofFull, ofLong}[sizeOf(t)]
}

// atOnce is how many lives are lived at once. They spend part of their time waiting for the simulator.
func atOnce() int { return min(12*runtime.GOMAXPROCS(0), places-8) }

func must[T any](t testing.TB) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
