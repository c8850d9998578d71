package app

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"time"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// Row is one account as a report shows it. No whole access key id is in it.
type Row struct {
	ID       posture.AccountID `json:"id"`
	Source   string            `json:"source"`
	Name     string            `json:"name,omitempty"`
	Alias    string            `json:"alias,omitempty"`
	Email    string            `json:"email,omitempty"`
	Unit     string            `json:"unit,omitempty"`
	State    string            `json:"state,omitempty"`
	Role     posture.Role      `json:"role,omitempty"`
	Via      string            `json:"via,omitempty"`
	At       time.Time         `json:"at"`
	Scanned  bool              `json:"scanned"`
	Grade    posture.Grade     `json:"grade"`
	Keys     []RowKey          `json:"keys,omitempty"`
	MFA      []string          `json:"mfa,omitempty"` // the kinds of the devices that were listed
	Findings []RowFinding      `json:"findings"`
}

// RowKey is one root access key, its id masked.
type RowKey struct {
	ID          string            `json:"id,omitempty"`
	Status      posture.KeyStatus `json:"status"`
	Created     time.Time         `json:"created,omitzero"`
	LastUsed    time.Time         `json:"last_used,omitzero"`
	UsedService string            `json:"used_service,omitempty"`
	UsedRegion  string            `json:"used_region,omitempty"`
}

// RowFinding is one finding without what its row says already.
type RowFinding struct {
	Control  posture.Control  `json:"control"`
	Status   posture.Status   `json:"status"`
	Severity posture.Severity `json:"severity"`
	Code     posture.Code     `json:"code,omitempty"`
	Reason   string           `json:"reason"`
	Gap      *posture.Gap     `json:"gap,omitempty"`
	At       time.Time        `json:"at"`
}

// Finding returns the finding of a control, and false where the row has none.
func (r Row) Finding(c posture.Control) (RowFinding, bool) {
	i := slices.IndexFunc(r.Findings, func(f RowFinding) bool { return f.Control == c })
	if i < 0 {
		return RowFinding{}, false
	}
	return r.Findings[i], true
}

// Label is the name a person knows the account by.
func (r Row) Label() string { return cmp.Or(r.Name, r.Alias, string(r.ID)) }

// Status is the worst status in the row: Failed, NotAvailable, Passed or NotApplicable.
func (r Row) Status() posture.Status {
	worst := posture.NotApplicable
	for _, f := range r.Findings {
		if f.Status.Rank() < worst.Rank() {
			worst = f.Status
		}
	}
	return worst
}

func rowOf(p posture.Posture, e posture.Evidence) Row {
	_, scanned := p.Scanned()
	a := p.Account
	r := Row{
		ID: a.ID, Source: a.Source, Name: a.Name, Alias: a.Alias, Email: a.Email, Unit: a.Unit, State: a.State,
		Role: a.Role, Via: p.Via, At: p.At.UTC(), Scanned: scanned, Grade: p.Grade(),
	}
	if e.Keys.Known() {
		for _, k := range e.Keys.Value {
			r.Keys = append(r.Keys, RowKey{
				ID: k.ID.Mask(), Status: k.Status, Created: k.Created, LastUsed: k.LastUsed,
				UsedService: k.UsedService, UsedRegion: k.UsedRegion,
			})
		}
	}
	if e.Devices.Known() {
		for _, d := range e.Devices.Value {
			r.MFA = append(r.MFA, string(cmp.Or(d.Grade(), "unknown")))
		}
	}
	findings := slices.Clone(p.Findings)
	slices.SortFunc(findings, posture.Finding.Compare)
	for _, f := range findings {
		r.Findings = append(r.Findings, RowFinding{
			Control: f.Control, Status: f.Status, Severity: f.Severity, Code: f.Code, Reason: f.Reason, Gap: f.Gap, At: f.At.UTC(),
		})
	}
	return r
}

// Rows keeps the rows of a report in a temporary file, which has no name where the system allows that, so that memory does
// not grow with what is told of each account. Where no file can be made, as with a read-only file system, it keeps them in
// memory. It is not safe for concurrent use until all rows are in.
type Rows struct {
	file   *os.File
	out    *bufio.Writer
	memory []byte
	size   int64
	index  []entry
	sorted bool
}

// entry is where a row lies, with its place in the order.
type entry struct {
	at, length int64
	place      posture.Standing
}

func newRows() *Rows {
	r := &Rows{}
	f, err := os.CreateTemp("", "rootcheck-rows-*")
	if err != nil {
		return r
	}
	r.file, r.out = f, bufio.NewWriterSize(f, 1<<16)
	_ = os.Remove(f.Name()) // Where an open file keeps its name, as on Windows, Close removes it.
	return r
}

func (r *Rows) add(row Row, place posture.Standing) error {
	b, err := json.Marshal(row)
	if err != nil {
		return fmt.Errorf("keep the row of %s: %w", row.ID, err)
	}
	if r.file != nil {
		if _, err := r.out.Write(b); err != nil {
			return fmt.Errorf("keep the row of %s: %w", row.ID, err)
		}
	} else {
		r.memory = append(r.memory, b...)
	}
	r.index = append(r.index, entry{at: r.size, length: int64(len(b)), place: place})
	r.size += int64(len(b))
	r.sorted = false
	return nil
}

// Len is how many rows there are.
func (r *Rows) Len() int { return len(r.index) }

// All yields the rows, worst first. It may be called again. An error ends it.
func (r *Rows) All() iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		if !r.sorted {
			slices.SortFunc(r.index, func(a, b entry) int { return a.place.Compare(b.place) })
			r.sorted = true
		}
		if r.file != nil {
			if err := r.out.Flush(); err != nil {
				yield(Row{}, fmt.Errorf("keep rows: %w", err))
				return
			}
		}
		var buf []byte
		for _, e := range r.index {
			buf = slices.Grow(buf[:0], int(e.length))[:e.length]
			var row Row
			err := r.read(buf, e.at)
			if err == nil {
				err = json.Unmarshal(buf, &row)
			}
			if err != nil {
				yield(Row{}, fmt.Errorf("read a kept row: %w", err))
				return
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

func (r *Rows) read(buf []byte, at int64) error {
	if r.file == nil {
		copy(buf, r.memory[at:])
		return nil
	}
	_, err := io.ReadFull(io.NewSectionReader(r.file, at, int64(len(buf))), buf)
	return err
}

// Close gives the file back. It may be called again.
func (r *Rows) Close() error {
	if r == nil || r.file == nil {
		return nil
	}
	f := r.file
	r.file = nil
	r.index = nil
	err := f.Close()
	if rerr := os.Remove(f.Name()); rerr != nil && !errors.Is(rerr, os.ErrNotExist) {
		err = errors.Join(err, rerr)
	}
	return err
}
