package scheduler_test

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/rootcheck-bot/rootcheck/scheduler"
)

func TestADailyScheduleRunsOncePerLocalDayInEveryZone(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{
		"UTC", "Asia/Seoul", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca",
		"America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Chatham", "Pacific/Apia", "Africa/Cairo", "Asia/Gaza",
		"America/St_Johns", "Antarctica/Troll", "Pacific/Kiritimati", "America/Santiago",
	} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatalf("load %s: %v", zone, err)
		}
		for _, spec := range []string{"0 0 * * *", "30 0 * * *", "0 2 * * *", "30 2 * * *", "15 3 * * *", "0 9 * * *", "59 23 * * *"} {
			c, err := scheduler.Parse(spec, loc)
			if err != nil {
				t.Fatalf("parse %s: %v", spec, err)
			}
			days := map[string]int{}
			at := time.Date(2024, 1, 1, 0, 0, 0, 0, loc)
			end := time.Date(2029, 1, 1, 0, 0, 0, 0, loc)
			for at = c.Next(at.Add(-time.Second)); at.Before(end); at = c.Next(at) {
				days[at.In(loc).Format(time.DateOnly)]++
			}
			for day := time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC); day.Year() < 2029; day = day.AddDate(0, 0, 1) {
				if n := days[day.Format(time.DateOnly)]; n != 1 {
					t.Errorf("%s in %s runs %d times on %s, want once", spec, zone, n, day.Format(time.DateOnly))
				}
			}
		}
	}
}

func TestAnHourlyScheduleRunsInEveryRealHour(t *testing.T) {
	t.Parallel()
	loc, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	c, err := scheduler.Parse("0 * * * *", loc)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2025, 10, 25, 20, 0, 0, 0, time.UTC)
	for range 24 {
		next := c.Next(at)
		if next.Sub(at) != time.Hour {
			t.Fatalf("after %s comes %s", at, next)
		}
		at = next
	}
}

func TestMalformedSpecificationsAreRefusedInOneSentenceThatSaysWhatToWrite(t *testing.T) {
	t.Parallel()
	for _, spec := range []string{"", "bogus", "TZ=", "CRON_TZ=UTC", "TZ=UTC 0 9 * * *", "0 0 31 2 *", "@every 10s", "61 * * * *", "* * * *", "@nonsense", "0 9 * * MON-", "0 9 * * MO-FRI"} {
		_, err := scheduler.Parse(spec, time.UTC)
		if err == nil {
			t.Errorf("%q was accepted", spec)
			continue
		}
		helps := strings.Contains(err.Error(), "write five fields") || strings.Contains(err.Error(), "set schedules.timezone") || strings.Contains(err.Error(), "check its day and month")
		if !helps || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "strconv") {
			t.Errorf("%q: %q does not say in one line what to write", spec, err)
		}
	}
}

func TestWhatWasMissedIsMadeUpForOnce(t *testing.T) {
	t.Parallel()
	c, err := scheduler.Parse("0 9 * * *", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	due := c.LastDue(time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC), time.Date(2026, 3, 4, 8, 0, 0, 0, time.UTC))
	if want := time.Date(2026, 3, 3, 9, 0, 0, 0, time.UTC); !due.Equal(want) {
		t.Errorf("due %s, want %s", due, want)
	}
	if again := c.LastDue(due, time.Date(2026, 3, 4, 8, 59, 59, 0, time.UTC)); !again.IsZero() {
		t.Errorf("due again at %s", again)
	}
}
