package store

import (
	"context"
	"fmt"
	"time"

	"github.com/rootcheck-bot/rootcheck/commands"
)

// Message returns where something stands in Slack, or ErrNotFound where nothing was posted.
func (s *Store) Message(ctx context.Context, key string) (commands.MessageRef, error) {
	var m commands.MessageRef
	err := s.db.reads().queryRow(ctx, `SELECT channel, ts, hash FROM message WHERE key = $1`, key).Scan(&m.Channel, &m.TS, &m.Hash)
	if err != nil {
		return commands.MessageRef{}, notFound(err, "message "+key)
	}
	return m, nil
}

// SaveMessage remembers where something stands now. Where it stood before is not forgotten: KeyOf still knows it.
func (s *Store) SaveMessage(ctx context.Context, key string, ref commands.MessageRef) error {
	err := s.db.write(ctx, func(ctx context.Context, q session) error {
		_, err := q.exec(ctx, `INSERT INTO message (key, channel, ts, hash) VALUES ($1, $2, $3, $4)
			ON CONFLICT (key) DO UPDATE SET channel = excluded.channel, ts = excluded.ts, hash = excluded.hash`,
			key, ref.Channel, ref.TS, ref.Hash)
		if err != nil {
			return err
		}
		_, err = q.exec(ctx, `INSERT INTO posted (channel, ts, key) VALUES ($1, $2, $3)
			ON CONFLICT (channel, ts) DO UPDATE SET key = excluded.key`, ref.Channel, ref.TS, key)
		return err
	})
	if err != nil {
		return fmt.Errorf("save message %s: %w", key, err)
	}
	return nil
}

// KeyOf finds what a message shows, also one that was replaced since, or ErrNotFound for a message that we did not post.
func (s *Store) KeyOf(ctx context.Context, channel, ts string) (string, error) {
	var key string
	err := s.db.reads().queryRow(ctx, `SELECT key FROM posted WHERE channel = $1 AND ts = $2`, channel, ts).Scan(&key)
	if err != nil {
		return "", notFound(err, "message "+ts+" of "+channel)
	}
	return key, nil
}

// Last is the newest occurrence of a schedule that was claimed, or the zero time before the first.
func (s *Store) Last(ctx context.Context, schedule string) (time.Time, error) {
	var at int64
	err := s.db.reads().queryRow(ctx, `SELECT coalesce(max(occurs_at), 0) FROM occurrence WHERE schedule = $1`, schedule).Scan(&at)
	if err != nil {
		return time.Time{}, fmt.Errorf("read occurrences of %s: %w", schedule, err)
	}
	return fromMicros(at), nil
}

// Occurrences is the store as the table of what has fallen due. It is a type of its own because its Claim is not the queue's.
type Occurrences struct{ *Store }

// Claim records an occurrence and queues its item in one transaction. It returns false, and queues nothing, when somebody
// else was first.
func (o Occurrences) Claim(ctx context.Context, schedule string, at time.Time, item commands.Item) (bool, error) {
	r, err := o.item(item)
	if err != nil {
		return false, err
	}
	first, err := write(ctx, o.Store, func(ctx context.Context, q session) (bool, error) {
		// The column "skipped" is of a rule that there no longer is.
		n, failed := q.exec(ctx, `INSERT INTO occurrence (schedule, occurs_at, skipped) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING`,
			schedule, micros(at))
		if failed != nil || n == 0 {
			return false, failed
		}
		return true, upsert(ctx, q, r)
	})
	if err != nil {
		return false, fmt.Errorf("claim occurrence of %s: %w", schedule, err)
	}
	if first {
		o.signal()
	}
	return first, nil
}
