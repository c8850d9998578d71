package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// Notify notes that people were told of findings: those that are New become Notified. A finding that is not there any more
// is passed over. The accounts of one page change together.
func (s *Store) Notify(ctx context.Context, told []posture.FindingKey) error {
	type place struct {
		source  string
		account posture.AccountID
	}
	controls := map[place][]posture.Control{}
	places := make([]place, 0, len(told))
	for _, k := range told {
		p := place{k.Source, k.Account}
		if controls[p] == nil {
			places = append(places, p)
		}
		controls[p] = append(controls[p], k.Control)
	}
	for some := range slices.Chunk(places, page) {
		err := s.db.write(ctx, func(ctx context.Context, q session) error {
			for _, p := range some {
				err := s.follow(ctx, q, p.source, p.account, func(t posture.Track) (posture.Track, error) {
					if slices.Contains(controls[p], t.Last.Control) {
						t = t.Notify()
					}
					return t, nil
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("note what people were told: %w", err)
		}
	}
	return nil
}

// Allow takes as many of the keys, from the first, as the allowance leaves room for within a span until now, and returns
// them in their order. A key that was taken within the span already is given again and takes no room.
func (s *Store) Allow(ctx context.Context, allowance string, keys []string, most int, within time.Duration) ([]string, error) {
	now := s.now()
	granted, err := write(ctx, s, func(ctx context.Context, q session) (granted []string, err error) {
		// The row is there before it is held, so that two replicas wait for each other.
		if _, err = q.exec(ctx, `INSERT INTO allowance (name, body) VALUES ($1, '{}') ON CONFLICT DO NOTHING`, allowance); err != nil {
			return nil, err
		}
		var body string
		if err = q.queryRow(ctx, `SELECT body FROM allowance WHERE name = $1`+s.db.sql().lock, allowance).Scan(&body); err != nil {
			return nil, err
		}
		taken := map[string]time.Time{}
		if err = decode(body, &taken); err != nil {
			return nil, err
		}
		for k, at := range taken {
			if now.Sub(at) >= within {
				delete(taken, k)
			}
		}
		for _, k := range keys {
			if _, again := taken[k]; !again {
				if len(taken) >= most {
					continue
				}
				taken[k] = now
			}
			granted = append(granted, k)
		}
		if body, err = encode(taken); err != nil {
			return nil, err
		}
		_, err = q.exec(ctx, `UPDATE allowance SET body = $1 WHERE name = $2`, body, allowance)
		return granted, err
	})
	if err != nil {
		return nil, fmt.Errorf("take from the allowance of %s: %w", allowance, err)
	}
	return granted, nil
}
