package proof_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// This file kills the process at every boundary of every plan, and at pairs of boundaries, and lets people go on.
//
// The first life of a plan is lived without a crash and records its boundaries. Since the worker does several things at
// once, a point is named by what it is and by how often that was before, and not by its place in the whole.

// TestACrashAnywhereDeletesOnceAndLosesNothing is the enumeration. A quick run takes a sample of the points, a full run
// takes all of them and a sample of pairs, a long run all pairs.
func TestACrashAnywhereDeletesOnceAndLosesNothing(t *testing.T) {
	t.Parallel()
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			scanned := template(t, d)
			lives := lives{d: d, scanned: scanned}
			chosen := plans()
			if sizeOf(t) == quick && d.name == "postgres" {
				chosen = chosen[:1] // each life has a database of its own, and making one takes longer than the life
			}
			for _, p := range chosen {
				first := newLife(newWorld(t, d.copy(t, scanned)), p)
				points := first.live()
				if len(points) < 150 {
					t.Errorf("%s: only %d boundaries were counted", p.name, len(points))
				}
				lives.plan(t, p, points)
			}
			lives.live(t)
		})
	}
}

// lives are all the lives to be lived on one database.
type lives struct {
	d       database
	scanned string
	all     []doomed
}

// doomed is a life whose processes die.
type doomed struct {
	plan   plan
	deaths []death
}

func (d doomed) String() string {
	var at []string
	for _, x := range d.deaths {
		at = append(at, x.String())
	}
	return d.plan.name + ": dies at " + strings.Join(at, ", then ")
}

// plan chooses the crashes of a plan: every boundary. A quick run dies once at each kind of boundary around the changing
// calls, and at a few others.
func (l *lives) plan(t *testing.T, p plan, points []point) {
	t.Helper()
	random := rand.New(rand.NewPCG(uint64(len(points)), uint64(len(p.name)))) // a sample that can be repeated
	kinds := map[string]bool{}
	for _, at := range points {
		call := strings.HasPrefix(at.name, "Session.Do") || strings.Contains(at.name, "remediation.attempted") || changing[strings.Fields(at.name + " ?")[1]]
		var dies bool
		switch sizeOf(t) {
		case quick:
			dies = call && !kinds[at.name] || random.IntN(150) == 0
		case full, long:
			dies = true
		}
		if dies {
			kinds[at.name] = true
			l.all = append(l.all, doomed{p, []death{{at: at}}})
		}
	}
	pairs := pick(t, 1, 84, 0) // of six plans: five hundred
	if sizeOf(t) == long {
		for _, at := range points {
			for j := range points {
				l.all = append(l.all, doomed{p, []death{{at: at}, {after: j + 1}}})
			}
		}
		return
	}
	for range pairs {
		l.all = append(l.all, doomed{p, []death{{at: points[random.IntN(len(points))]}, {after: 1 + random.IntN(60)}}})
	}
}

// live lives them, several at once, and stops early when too much has gone wrong.
func (l *lives) live(t *testing.T) {
	t.Helper()
	var crashes, failed atomic.Int64
	queue := make(chan doomed)
	var wg sync.WaitGroup
	for i := range atOnce() {
		wg.Go(func() {
			for d := range queue {
				t.Run(fmt.Sprintf("%d/%s", i, d), func(t *testing.T) {
					one := newLife(newWorld(t, l.d.copy(t, l.scanned)), d.plan)
					defer func() {
						crashes.Add(int64(one.crashes))
						if t.Failed() {
							failed.Add(1)
						}
					}()
					one.live(d.deaths...)
				})
			}
		})
	}
	mixed := rand.New(rand.NewPCG(1, uint64(len(l.all)))) // lives that wait beside lives that compute
	mixed.Shuffle(len(l.all), func(i, j int) { l.all[i], l.all[j] = l.all[j], l.all[i] })
	for _, d := range l.all {
		if failed.Load() > 20 {
			t.Error("more than 20 lives went wrong; the rest is not lived")
			break
		}
		queue <- d
	}
	close(queue)
	wg.Wait()
	t.Logf("%s: %d lives, %d crashes, %d went wrong", l.d.name, len(l.all), crashes.Load(), failed.Load())
}
