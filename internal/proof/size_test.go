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

func sizeOf(tb testing.TB) size {
	tb.Helper()
	switch v := os.Getenv("ROOTCHECK_PROOF"); v {
	case "":
		return quick
	case "full":
		return full
	case "long":
		return long
	default:
		tb.Fatalf("ROOTCHECK_PROOF is %q: leave it empty, or write full or long", v)
		return quick
	}
}

// pick is the figure for the size of this run.
func pick[T any](tb testing.TB, ofQuick, ofFull, ofLong T) T {
	tb.Helper()
	return []T{ofQuick, ofFull, ofLong}[sizeOf(tb)]
}

// atOnce is how many lives are lived at once. They spend most of their time waiting for AWS's reports.
func atOnce() int { return min(20*runtime.GOMAXPROCS(0), places-8) }

func must[T any](tb testing.TB) func(T, error) T {
	tb.Helper()
	return func(v T, err error) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

func ok(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
