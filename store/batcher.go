package store

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// This file lets writes share a commit. With an fsync per commit, ten thousand clicks at once would wait in a row of fsyncs
// for longer than Slack waits for an acknowledgement. The rules are:
//   - One goroutine takes what waits, commits it together, and only then answers everybody.
//   - A job whose caller gave up before its turn never runs.
//   - Once a job has begun, its caller waits for the outcome where the disk is our own, so that nobody is told "not written"
//     of what was. A server on a network may never answer, and there the caller's context ends the waiting.

// together bounds what shares a commit, so that the first in it does not wait for ever.
const together = 512

// job is one write: an item that is put, or anything else.
type job struct {
	ctx   context.Context //nolint:containedctx // the caller's, to see whether it still wants the job when its turn comes
	item  row
	run   func(context.Context, session) error // nil: the item is put
	taken atomic.Bool
	err   error
	done  chan struct{}
}

// take reports whether the job is to run: nobody gave it up.
func (j *job) take() bool {
	if !j.taken.CompareAndSwap(false, true) {
		return false
	}
	j.err = j.ctx.Err()
	return j.err == nil
}

type batcher struct {
	// commit runs the jobs that it takes. Its error is the outcome of all of them; a job's own is set in the job.
	commit func(context.Context, []*job) error
	// patient callers wait for the outcome of what has begun, whatever becomes of their context.
	patient bool
	// tidy is called when the timer says so, between two commits, and at the end. It may be nil where no timer is started.
	tidy  func(context.Context)
	timer *time.Timer

	jobs chan *job
	quit chan struct{}
	gone chan struct{}
	once sync.Once
}

var errClosed = errors.New("the database is closed")

// newBatcher starts the goroutine, which runs until close. The timer starts stopped.
func newBatcher(ctx context.Context, b *batcher) *batcher {
	b.jobs, b.quit, b.gone = make(chan *job, together), make(chan struct{}), make(chan struct{})
	b.timer = time.NewTimer(time.Hour)
	b.timer.Stop()
	go b.loop(ctx)
	return b
}

// do hands a job in and waits for its commit.
func (b *batcher) do(j *job) error {
	j.done = make(chan struct{})
	select {
	case b.jobs <- j:
	case <-j.ctx.Done():
		return j.ctx.Err()
	case <-b.quit:
		return errClosed
	}
	select {
	case <-j.done:
	case <-j.ctx.Done():
		if j.taken.CompareAndSwap(false, true) || !b.patient {
			return j.ctx.Err()
		}
		<-j.done
	case <-b.gone:
		// The loop has ended: the job was answered just before, or never will be.
		select {
		case <-j.done:
		default:
			return errClosed
		}
	}
	return j.err
}

func (b *batcher) loop(ctx context.Context) {
	defer close(b.gone)
	for {
		select {
		case j := <-b.jobs:
			b.answer(ctx, b.gather(j))
		case <-b.timer.C:
			b.tidy(ctx)
		case <-b.quit:
			for {
				select {
				case j := <-b.jobs:
					b.answer(ctx, b.gather(j))
				default:
					if b.tidy != nil {
						b.tidy(ctx)
					}
					b.timer.Stop()
					return
				}
			}
		}
	}
}

func (b *batcher) gather(first *job) []*job {
	jobs := []*job{first}
	for len(jobs) < together {
		select {
		case j := <-b.jobs:
			jobs = append(jobs, j)
		default:
			return jobs
		}
	}
	return jobs
}

func (b *batcher) answer(ctx context.Context, jobs []*job) {
	err := b.commit(ctx, jobs)
	for _, j := range jobs {
		if err != nil {
			j.err = err
		}
		close(j.done)
	}
}

// close commits what was handed in and ends the goroutine.
func (b *batcher) close() {
	b.once.Do(func() {
		close(b.quit)
		<-b.gone
	})
}
