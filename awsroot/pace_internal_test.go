package awsroot

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// busiest is the largest number of times within any second.
func busiest(times []time.Time) int {
	most, from := 0, 0
	for i, at := range times {
		for at.Sub(times[from]) >= time.Second {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

func TestNoSecondHasMoreCallsThanTheRateAllows(t *testing.T) {
	for _, r := range []float64{0.5, 3, 20, 100, 500} {
		t.Run(fmt.Sprintf("at %v per second", r), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, began := newPace(r).limiters["STS.AssumeRoot"], time.Now()
				var mu sync.Mutex
				var times []time.Time
				calls := int(r*20) + 10
				var wg sync.WaitGroup
				work := make(chan int, calls)
				for i := range calls {
					work <- i
				}
				close(work)
				for range 16 {
					wg.Go(func() {
						for range work {
							if _, err := l.wait(t.Context()); err != nil {
								t.Error(err)
								return
							}
							mu.Lock()
							times = append(times, time.Now())
							mu.Unlock()
							time.Sleep(20 * time.Millisecond)
						}
					})
				}
				wg.Wait()
				if got := busiest(times); float64(got) > r*1.01+2 {
					t.Errorf("%d calls in one second", got)
				}
				if took, ideal := time.Since(began), float64(calls)/r; took.Seconds() > ideal*1.15 {
					t.Errorf("%d calls took %v, ideally %.1fs", calls, took, ideal)
				}
			})
		})
	}
}

// server takes calls at a rate with a second's worth of burst, as AWS does. Of those it refuses a share whatever the rate.
type server struct {
	rate, tokens float64
	at           time.Time
	share        float64
	random       *rand.Rand
}

func (s *server) refuses(now time.Time) bool {
	if s.share > 0 && s.random.Float64() < s.share {
		return true
	}
	s.tokens = min(s.rate, s.tokens+now.Sub(s.at).Seconds()*s.rate)
	s.at = now
	if s.tokens < 1 {
		return true
	}
	s.tokens--
	return false
}

// meet sends calls of a limiter to a server for a while, and counts those that it took and refused, and when.
func meet(t *testing.T, l *limiter, s *server, d time.Duration) (taken, refused int, times []time.Time) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	end := time.Now().Add(d)
	for range 64 {
		wg.Go(func() {
			for time.Now().Before(end) {
				call, err := l.wait(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				times = append(times, time.Now())
				no := s.refuses(time.Now())
				mu.Unlock()
				time.Sleep(20 * time.Millisecond)
				l.heard(call, no)
				mu.Lock()
				if no {
					refused++
				} else {
					taken++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return taken, refused, times
}

func TestTheRateFindsWhatAWSTakesAndRecoversWhenAWSDoes(t *testing.T) {
	for _, set := range []float64{0, 100} {
		for _, takes := range []float64{5, 20, 45} {
			t.Run(fmt.Sprintf("with %v set and %v taken", set, takes), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := newPace(set).limiters["STS.AssumeRoot"]
					s := &server{rate: takes, tokens: takes, at: time.Now()}
					meet(t, l, s, 20*time.Second) // it finds the rate
					taken, refused, _ := meet(t, l, s, time.Minute)
					if float64(taken) < takes*60*0.75 || refused > taken/5 {
						t.Errorf("of %v calls that AWS takes in a minute %d were made, and %d refused", takes*60, taken, refused)
					}
					s.rate = 10_000
					meet(t, l, s, time.Minute)
					taken, _, _ = meet(t, l, s, 10*time.Second)
					if want := 10 * 90; taken < want {
						t.Errorf("a minute after AWS recovered %d calls are made in ten seconds, want %d", taken, want)
					}
				})
			})
		}
	}
}

// Which calls AWS refuses is chance, so it is tried several times: mostly nearly all is taken that could be, and at least a
// quarter in the worst of luck.
func TestARateThatIsLoweredInVainIsNotLoweredToAStandstill(t *testing.T) {
	const tries = 9
	for _, c := range []struct{ set, takes, share float64 }{{50, 50, 0.3}, {0, 50, 0.3}, {200, 1000, 0.1}, {0, 20, 0.3}, {20, 1000, 0.5}} {
		t.Run(fmt.Sprintf("with %v set, %v taken and %v refused whatever the rate", c.set, c.takes, c.share), func(t *testing.T) {
			most := c.takes
			if c.set > 0 {
				most = min(most, c.set*(1-c.share))
			}
			var parts []float64
			for try := range uint64(tries) {
				synctest.Test(t, func(t *testing.T) {
					l := newPace(c.set).limiters["STS.AssumeRoot"]
					s := &server{rate: c.takes, tokens: c.takes, at: time.Now(), share: c.share, random: rand.New(rand.NewPCG(try, 2))}
					taken, _, times := meet(t, l, s, time.Minute)
					if got := busiest(times); c.set > 0 && float64(got) > c.set*1.01+2 {
						t.Errorf("%d calls in one second", got)
					}
					parts = append(parts, float64(taken)/(most*60))
				})
			}
			slices.Sort(parts)
			if parts[tries/2] < 0.75 || parts[0] < 0.25 {
				t.Errorf("of the calls that AWS would take in a minute these parts were taken: %.2f", parts)
			}
		})
	}
}

func TestOneMomentOfThrottlingSlowsDownOnce(t *testing.T) {
	l := newPace(0).limiters["STS.AssumeRoot"]
	var calls []uint64
	for range 100 {
		call, err := l.wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		calls = append(calls, call)
	}
	for _, call := range calls {
		l.heard(call, true)
	}
	if got := l.l.Limit(); got != l.first {
		t.Errorf("a hundred calls of one moment slow down to %v", got)
	}
}

func TestACallWhoseTurnDoesNotComeIsNotSent(t *testing.T) {
	l := newPace(0.5).limiters["STS.AssumeRoot"]
	for range steadyBurst {
		if _, err := l.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := l.wait(ctx)
	var unpaced *unpacedError
	if !errors.As(err, &unpaced) || reasonOf(err) != posture.ReasonThrottled {
		t.Errorf("it ends with %v", err)
	}
	cancel()
	if _, err := l.wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancelling: %v", err)
	}
}
