package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// putTimeout is longer than Slack waits for an acknowledgement, hence longer than anybody waits for a put.
const putTimeout = 10 * time.Second

func (b *pgBackend) put(ctx context.Context, i row) error {
	if b.readOnly {
		return ErrReadOnly
	}
	return b.puts.do(&job{ctx: ctx, item: i})
}

// putAll puts the items of all jobs with one statement. Of several with one key the last body and the earliest time count,
// as if they had been put one after the other; the keys are sorted, so that two replicas wait for each other in one order.
func (b *pgBackend) putAll(ctx context.Context, jobs []*job) error {
	latest := make(map[string]row, len(jobs))
	for _, j := range jobs {
		if !j.take() {
			continue
		}
		r := j.item
		if before, ok := latest[r.key]; ok {
			r.due = min(r.due, before.due)
		}
		latest[r.key] = r
	}
	if len(latest) == 0 {
		return nil
	}

	rows := slices.SortedFunc(maps.Values(latest), func(x, y row) int { return cmp.Compare(x.key, y.key) })
	var keys, kinds []string
	var bodies [][]byte
	var dues []int64
	for _, r := range rows {
		keys, kinds, bodies, dues = append(keys, r.key), append(kinds, r.kind), append(bodies, r.body), append(dues, r.due)
	}
	// A server that never answers must not keep all later puts waiting.
	ctx, cancel := context.WithTimeout(ctx, putTimeout)
	defer cancel()
	return b.write(ctx, func(ctx context.Context, q session) error {
		_, err := q.exec(ctx, putNew+`SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bigint[])`+putAgain,
			keys, kinds, bodies, dues)
		if err != nil {
			return fmt.Errorf("put %d items: %w", len(rows), err)
		}
		return nil
	})
}
