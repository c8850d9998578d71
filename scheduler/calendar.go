package scheduler

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Calendar is a cron specification in a time zone.
//
// It is read on the wall clock, and only then turned into instants: robfig/cron run in the zone itself fires twice in
// the autumn hour, not at all in the spring gap, and loses daily ticks in zones whose clock moves by half an hour. A
// time that the wall clock skips happens right after the gap; one that it shows twice happens the first time, unless
// the specification names every hour.
type Calendar struct {
	spec      *cron.SpecSchedule
	zone      *time.Location
	everyHour bool
}

// starBit marks a field that was written as "*" in robfig/cron's bit sets.
const starBit = 1 << 63

// Parse reads a five-field cron specification, or @hourly, @daily, @weekly, @monthly. Its errors say what to write.
func Parse(spec string, zone *time.Location) (c Calendar, err error) {
	defer func() {
		// robfig/cron v3.0.1 panics on some malformed specifications instead of refusing them.
		if p := recover(); p != nil {
			err = fmt.Errorf("%q is not a cron specification: write five fields such as \"0 9 * * MON-FRI\"", spec)
		}
	}()
	switch {
	case strings.Contains(spec, "TZ="):
		return c, fmt.Errorf("%q names a time zone: set schedules.timezone instead", spec)
	case strings.HasPrefix(strings.TrimSpace(spec), "@every"):
		return c, fmt.Errorf("%q has no place in the calendar: write five fields such as \"*/30 * * * *\"", spec)
	}
	parsed, err := cron.ParseStandard(spec)
	if err != nil {
		why := fmt.Sprintf(" (%v)", err)
		if strings.Contains(why, "strconv.") { // a name that is none, in words that only a Go programmer knows
			why = ""
		}
		return c, fmt.Errorf("%q is not a cron specification%s: write five fields such as \"0 9 * * MON-FRI\"", spec, why)
	}
	s, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return c, errors.New("only five-field specifications are understood")
	}
	s.Location = time.UTC
	if s.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return c, fmt.Errorf("%q never comes: check its day and month", spec)
	}
	return Calendar{spec: s, zone: zone, everyHour: s.Hour&starBit != 0}, nil
}

// slack is how far the wall clock may be from the instant it stands for, once the zone's offset is known: the largest
// step of any zone's clock, a whole day, for the zones that crossed the date line.
const slack = 25 * time.Hour

// LastDue is the newest occurrence in (after, now], zero if there is none.
func (c Calendar) LastDue(after, now time.Time) time.Time {
	all := c.between(after, now)
	if len(all) == 0 {
		return time.Time{}
	}
	return all[len(all)-1]
}

// Next is the first occurrence after t, zero if there is none within five years.
func (c Calendar) Next(t time.Time) time.Time {
	for wall := c.spec.Next(c.wall(t).Add(-slack)); !wall.IsZero(); wall = c.spec.Next(wall) {
		for _, at := range c.instants(wall) {
			if at.After(t) {
				return at
			}
		}
	}
	return time.Time{}
}

func (c Calendar) between(after, until time.Time) []time.Time {
	var all []time.Time
	end := c.wall(until).Add(slack)
	for wall := c.spec.Next(c.wall(after).Add(-slack)); !wall.IsZero() && !wall.After(end); wall = c.spec.Next(wall) {
		for _, at := range c.instants(wall) {
			if at.After(after) && !at.After(until) {
				all = append(all, at)
			}
		}
	}
	slices.SortFunc(all, time.Time.Compare)
	return slices.CompactFunc(all, time.Time.Equal)
}

// wall is what a clock on the wall shows at t, written as if it were UTC.
func (c Calendar) wall(t time.Time) time.Time {
	_, offset := t.In(c.zone).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// instants are the moments at which the wall clock shows w: one, two in the hour that is repeated if the
// specification names every hour, and the end of the gap where it is skipped.
func (c Calendar) instants(w time.Time) []time.Time {
	var at []time.Time
	for _, probe := range []time.Duration{-slack, slack} {
		_, offset := w.Add(probe).In(c.zone).Zone()
		t := w.Add(-time.Duration(offset) * time.Second)
		if c.wall(t).Equal(w) {
			at = append(at, t)
		}
	}
	slices.SortFunc(at, time.Time.Compare)
	at = slices.CompactFunc(at, time.Time.Equal)
	switch {
	case len(at) == 0:
		return []time.Time{c.afterGap(w)}
	case !c.everyHour:
		return at[:1]
	default:
		return at
	}
}

// afterGap is the first moment after the wall clock jumped over w.
func (c Calendar) afterGap(w time.Time) time.Time {
	low, high := w.Add(-2*slack), w.Add(2*slack)
	for high.Sub(low) > time.Second {
		mid := low.Add(high.Sub(low) / 2)
		if c.wall(mid).Before(w) {
			low = mid
		} else {
			high = mid
		}
	}
	return high.Truncate(time.Second)
}
