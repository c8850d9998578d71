package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// HeartbeatInterval is how often the running bot beats, and HeartbeatLimit after how long without a beat it counts as
// dead.
const (
	HeartbeatInterval = 15 * time.Second
	HeartbeatLimit    = 90 * time.Second
)

// Heartbeat tells another process, by a file, that the bot is alive and whether it is well. It opens no port.
type Heartbeat struct {
	file string
	now  func() time.Time
}

// NewHeartbeat makes a heartbeat that is kept in a file. Nothing is written before [Heartbeat.Beat].
func NewHeartbeat(file string, now func() time.Time) Heartbeat {
	return Heartbeat{file: file, now: now}
}

// HealthFile is where the heartbeat is kept: ROOTCHECK_HEALTH_FILE, else beside a SQLite database, else in the folder for
// temporary files.
func (c Config) HealthFile(env func(string) string) string {
	switch {
	case env("ROOTCHECK_HEALTH_FILE") != "":
		return env("ROOTCHECK_HEALTH_FILE")
	case c.Database == "" || c.postgres():
		return filepath.Join(os.TempDir(), "rootcheck.health")
	default:
		return c.Database + ".health"
	}
}

// beat is what the file holds.
type beat struct {
	At  time.Time `json:"at"`
	OK  bool      `json:"ok"`
	Why string    `json:"why,omitempty"`
	// Warn is what the operator must mend though the bot is well.
	Warn []string `json:"warn,omitempty"`
}

// Beat says that the bot is alive at this moment, why it is not well where it is not, and what its operator must mend in
// either case. The file is replaced as a whole, so that a reader never sees half of one, wherever there is room for that.
func (h Heartbeat) Beat(ok bool, why string, warn ...string) error {
	b, err := json.Marshal(beat{At: h.now().UTC(), OK: ok, Why: why, Warn: warn})
	if err != nil {
		return fmt.Errorf("write the heartbeat: %w", err)
	}
	b = append(b, '\n')
	next := h.file + ".next"
	err = os.WriteFile(next, b, 0o600)
	if err == nil {
		err = os.Rename(next, h.file)
	}
	if err != nil && h.over(b) != nil {
		return fmt.Errorf("write the heartbeat: %w", err)
	}
	return nil
}

// over writes a beat over the one before, in the space that it has: on a full disk there is none for another file, and the
// heartbeat is what says so.
func (h Heartbeat) over(b []byte) error {
	f, err := os.OpenFile(h.file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(b, 0); err == nil {
		err = f.Truncate(int64(len(b)))
	}
	return errors.Join(err, f.Close())
}

// Check reports how old the last beat is, and what the operator must mend, one sentence each; or as an error, in one
// sentence, why the bot is not well.
func (h Heartbeat) Check() (age time.Duration, warn []string, err error) {
	b, err := os.ReadFile(h.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, nil, fmt.Errorf("the bot has not started yet, or keeps its heartbeat elsewhere than in %s", h.file)
	case err != nil:
		return 0, nil, fmt.Errorf("read the heartbeat: %w", err)
	}
	var last beat
	if err := json.Unmarshal(b, &last); err != nil || last.At.IsZero() {
		return 0, nil, fmt.Errorf("%s holds no heartbeat", h.file)
	}
	age = h.now().Sub(last.At).Round(time.Second)
	switch {
	case age >= HeartbeatLimit:
		return age, last.Warn, fmt.Errorf("the last heartbeat is %s old: the bot has stopped or hangs", age)
	case age < -HeartbeatLimit:
		return age, last.Warn, fmt.Errorf("the last heartbeat is %s ahead of the clock: the clock was set back", -age)
	case !last.OK && last.Why != "":
		return age, last.Warn, fmt.Errorf("the bot is not well: %s", last.Why)
	case !last.OK:
		return age, last.Warn, errors.New("the bot is not well, and its log says why")
	default:
		return max(age, 0), last.Warn, nil
	}
}
