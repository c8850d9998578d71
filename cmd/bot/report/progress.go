package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rootcheck-bot/rootcheck/app"
)

// Progress shows how far a check is: one line that is redrawn on a terminal, and a plain line now and then elsewhere.
type Progress struct {
	w        io.Writer
	terminal bool
	now      func() time.Time
	began    time.Time
	last     time.Time
	drawn    bool
}

// NewProgress makes a progress display that begins now.
func NewProgress(w io.Writer, terminal bool, now func() time.Time) *Progress {
	return &Progress{w: w, terminal: terminal, now: now, began: now(), last: now()}
}

// Show draws, but no more often than a person can read.
func (p *Progress) Show(at app.Progress) {
	now, every := p.now(), 10*time.Second
	if p.terminal {
		every = 100 * time.Millisecond
	}
	if now.Sub(p.last) < every {
		return
	}
	p.last = now
	if !p.terminal {
		_, _ = fmt.Fprintln(p.w, p.text(at, now)) // The report itself matters, not this.
		return
	}
	p.drawn = true
	_, _ = fmt.Fprintf(p.w, "\r\x1b[K%s%s", bar(at), p.text(at, now))
}

// End clears the line, so that the report stands alone.
func (p *Progress) End() {
	if p.drawn {
		_, _ = io.WriteString(p.w, "\r\x1b[K")
	}
}

func (p *Progress) text(at app.Progress, now time.Time) string {
	s := fmt.Sprintf("%s of %s looked at", number(at.Done), count(at.Listed, "account"))
	if !at.Complete {
		s = fmt.Sprintf("%s looked at, %s listed so far", count(at.Done, "account"), number(at.Listed))
	}
	if at.Again > 0 {
		s += fmt.Sprintf(", %s to be looked at again", number(at.Again))
	}
	if took := now.Sub(p.began); at.Complete && at.Done > 0 && at.Done < at.Listed {
		left := time.Duration(float64(took) / float64(at.Done) * float64(at.Listed-at.Done)).Round(time.Second)
		if left > 0 {
			s += fmt.Sprintf(", about %s left", left)
		}
	}
	return s
}

// bar is the share that is done, or nothing while nobody knows of how many: accounts are looked at as they are listed, so
// a share of those listed so far would stand near its end from the first page on.
func bar(at app.Progress) string {
	if !at.Complete || at.Listed == 0 {
		return ""
	}
	const columns = 24
	n := min(columns, columns*at.Done/at.Listed)
	return "[" + strings.Repeat("█", n) + strings.Repeat("·", columns-n) + "] "
}
