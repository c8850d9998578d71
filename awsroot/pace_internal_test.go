package awsroot

import (
	"context"
	"errors"
	"fmt"
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

// server takes calls at a rate with a second's worth of burst, as AWS does.
type server struct {
	rate, tokens float64
	at           time.Time
}

func (s *server) refuses(now time.Time) bool {
	s.tokens = min(s.rate, s.tokens+now.Sub(s.at).Seconds()*s.rate)
	s.at = now
	if s.tokens < 1 {
		return true
	}
	s.tokens--
	return false
}

func TestTheRateFindsWhatAWSTakesAndRecoversWhenAWSDoes(t *testing.T) {
	for _, set := range []float64{0, 100} {
		t.Run(fmt.Sprintf("with %v set", set), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newPace(set).limiters["STS.AssumeRoot"]
				s := &server{rate: 20, tokens: 20, at: time.Now()}
				var mu sync.Mutex
				run := func(d time.Duration) (taken, refused int) {
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
					return taken, refused
				}
				run(20 * time.Second) // it finds the rate
				taken, refused := run(60 * time.Second)
				if taken < 20*60*75/100 || refused > taken/5 {
					t.Errorf("of %d calls that AWS takes in a minute %d were made, and %d refused", 20*60, taken, refused)
				}
				s.rate = 10_000
				run(60 * time.Second)
				taken, _ = run(10 * time.Second)
				if want := 10 * 90; taken < want {
					t.Errorf("a minute after AWS recovered %d calls are made in ten seconds, want %d", taken, want)
				}
			})
		})
	}
}

func TestOneMomentOfThrottlingSlowsDownOnce(t *testing.T) {
	l := newPace(100).limiters["STS.AssumeRoot"]
	var calls []uint64
	for range 2 {
		call, err := l.wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		calls = append(calls, call)
	}
	for _, call := range calls {
		l.heard(call, true)
	}
	if got, want := float64(l.l.Limit()), 100*slack*3/4; got < want-0.01 || got > want+0.01 {
		t.Errorf("two calls of one moment slow down to %v", got)
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
