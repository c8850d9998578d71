package store

import (
	"context"
	"fmt"
	"time"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// track is a posture.Track as it lies beside the look, without the finding that the look has already.
type track struct {
	Control     posture.Control      `json:"control"`
	Workflow    posture.Workflow     `json:"workflow,omitempty"`
	Since       time.Time            `json:"since,omitzero"`
	Left        time.Time            `json:"left,omitzero"`
	Suppression *posture.Suppression `json:"suppression,omitempty"`
	Known       *posture.Finding     `json:"known,omitempty"` // where it is another than the last
	Judged      bool                 `json:"judged,omitempty"`
}

func packTrack(t posture.Track) track {
	p := track{
		Control: t.Last.Control, Workflow: t.Workflow, Since: t.Since, Left: t.Left, Suppression: t.Suppression,
		Judged: t.Known.Control != "",
	}
	if p.Judged && t.Last.Status == posture.NotAvailable {
		p.Known = &t.Known
	}
	return p
}

func (p track) unpack(last posture.Finding) posture.Track {
	t := posture.Track{Last: last, Workflow: p.Workflow, Since: p.Since, Left: p.Left, Suppression: p.Suppression}
	switch {
	case p.Known != nil:
		t.Known = *p.Known
	case p.Judged:
		t.Known = last
	}
	return t
}

func unpackTracks(findings, packed string) (map[posture.Control]posture.Track, error) {
	var before []posture.Finding
	var list []track
	if err := decode(findings, &before); err != nil {
		return nil, err
	}
	if err := decode(packed, &list); err != nil {
		return nil, err
	}
	last := make(map[posture.Control]posture.Finding, len(before))
	for _, f := range before {
		last[f.Control] = f
	}
	tracks := make(map[posture.Control]posture.Track, len(list))
	for _, p := range list {
		tracks[p.Control] = p.unpack(last[p.Control])
	}
	return tracks, nil
}

// readTracks returns nothing for an account that was never looked at.
func readTracks(ctx context.Context, q session, lock, source string, account posture.AccountID) (map[posture.Control]posture.Track, error) {
	var findings, packed string
	err := q.queryRow(ctx, `SELECT findings, tracks FROM look WHERE source = $1 AND account = $2`+lock, source, string(account)).
		Scan(&findings, &packed)
	if noRows(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return unpackTracks(findings, packed)
}

// saveLook writes one look. A finding that the look does not have any more is no longer followed.
func (s *Store) saveLook(ctx context.Context, q session, run string, l commands.Look, now time.Time) error {
	a := l.Evidence.Account
	before, err := readTracks(ctx, q, s.db.sql().lock, a.Source, a.ID)
	if err != nil {
		return err
	}
	packed := make([]track, 0, len(l.Findings))
	for _, f := range l.Findings {
		t, _, failed := before[f.Control].See(f, now)
		if failed != nil {
			return failed
		}
		packed = append(packed, packTrack(t))
	}
	if err = s.saveKeys(ctx, q, a.ID, l.Evidence.Keys.Value...); err != nil {
		return err
	}

	evidence, err := encode(l.Evidence)
	if err != nil {
		return err
	}
	findings, err := encode(l.Findings)
	if err != nil {
		return err
	}
	tracks, err := encode(packed)
	if err != nil {
		return err
	}
	_, err = q.exec(ctx, `INSERT INTO look (source, account, run, evidence, findings, tracks) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (source, account) DO UPDATE SET
			run = excluded.run, evidence = excluded.evidence, findings = excluded.findings, tracks = excluded.tracks`,
		a.Source, string(a.ID), run, evidence, findings, tracks)
	return err
}

// Tracks returns what is remembered of an account's findings between runs, by control. It is empty for an account that was
// never looked at.
func (s *Store) Tracks(ctx context.Context, source string, account posture.AccountID) (map[posture.Control]posture.Track, error) {
	t, err := readTracks(ctx, s.db.reads(), "", source, account)
	if err != nil {
		return nil, fmt.Errorf("read tracks of %s: %w", account, err)
	}
	return t, nil
}

// Follow changes what is remembered of an account's findings, for instance that people were notified, in one transaction:
// f is given each track and returns the new one. It may be called more than once for a track and has no other effect.
func (s *Store) Follow(ctx context.Context, source string, account posture.AccountID, f func(posture.Track) (posture.Track, error)) error {
	known := false
	err := s.db.write(ctx, func(ctx context.Context, q session) error {
		known = false
		return s.follow(ctx, q, source, account, func(t posture.Track) (posture.Track, error) {
			known = true
			return f(t)
		})
	})
	if err == nil && !known {
		err = commands.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("follow findings of %s: %w", account, err)
	}
	return nil
}

// follow is Follow within a transaction. It does nothing for an account that was never looked at.
func (s *Store) follow(ctx context.Context, q session, source string, account posture.AccountID, f func(posture.Track) (posture.Track, error)) error {
	tracks, err := readTracks(ctx, q, s.db.sql().lock, source, account)
	if err != nil || len(tracks) == 0 {
		return err
	}
	packed := make([]track, 0, len(tracks))
	for _, c := range posture.Controls() {
		t, ok := tracks[c.Slug]
		if !ok {
			continue
		}
		if t, err = f(t); err != nil {
			return err
		}
		packed = append(packed, packTrack(t))
	}
	body, err := encode(packed)
	if err != nil {
		return err
	}
	_, err = q.exec(ctx, `UPDATE look SET tracks = $1 WHERE source = $2 AND account = $3`, body, source, string(account))
	return err
}
