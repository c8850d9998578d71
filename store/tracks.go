package store

import (
	"context"
	"errors"
	"time"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// track is a posture.Track as it lies beside the look, without the finding that the look has already.
type track struct {
	Control     posture.Control      `json:"control"`
	Workflow    posture.Workflow     `json:"workflow,omitempty"`
	Since       time.Time            `json:"since,omitzero"`
	Suppression *posture.Suppression `json:"suppression,omitempty"`
	Known       *posture.Finding     `json:"known,omitempty"` // where it is another than the last
	Judged      bool                 `json:"judged,omitempty"`
}

func packTrack(t posture.Track) track {
	p := track{
		Control: t.Last.Control, Workflow: t.Workflow, Since: t.Since, Suppression: t.Suppression,
		Judged: t.Known.Control != "",
	}
	if p.Judged && t.Last.Status == posture.NotAvailable {
		p.Known = &t.Known
	}
	return p
}

func (p track) unpack(last posture.Finding) posture.Track {
	t := posture.Track{Last: last, Workflow: p.Workflow, Since: p.Since, Suppression: p.Suppression}
	switch {
	case p.Known != nil:
		t.Known = *p.Known
	case p.Judged:
		t.Known = last
	}
	return t
}

// readTracks reads what is remembered of an account's findings, and when it was looked at. It returns nothing for an account
// that was never looked at.
func readTracks(ctx context.Context, q session, lock, source string, account posture.AccountID) (map[posture.Control]posture.Track, time.Time, error) {
	var evidence, findings, packed string
	err := q.queryRow(ctx, `SELECT evidence, findings, tracks FROM look WHERE source = $1 AND account = $2`+lock, source, string(account)).
		Scan(&evidence, &findings, &packed)
	if noRows(err) {
		return nil, time.Time{}, nil
	}
	var seen struct {
		At time.Time `json:"at"`
	}
	var before []posture.Finding
	var list []track
	if err == nil {
		err = errors.Join(decode(evidence, &seen), decode(findings, &before), decode(packed, &list))
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	last := make(map[posture.Control]posture.Finding, len(before))
	for _, f := range before {
		last[f.Control] = f
	}
	tracks := make(map[posture.Control]posture.Track, len(list))
	for _, p := range list {
		tracks[p.Control] = p.unpack(last[p.Control])
	}
	return tracks, seen.At, nil
}

// saveLook writes one look. A finding that the look does not have any more is no longer followed. Of a look that is older
// than the one that is there only its run counts: a scan keeps many looks at once, and meanwhile somebody may have looked at
// one of their accounts again. One that is there from a time that has not come yet is of a clock that was wrong.
func (s *Store) saveLook(ctx context.Context, q session, run string, l commands.Look, now time.Time) error {
	a := l.Evidence.Account
	before, seen, err := readTracks(ctx, q, s.db.sql().lock, a.Source, a.ID)
	if err != nil {
		return err
	}
	if l.Evidence.At.Before(seen) && !seen.After(now) {
		_, err = q.exec(ctx, `UPDATE look SET run = $1 WHERE source = $2 AND account = $3`, run, a.Source, string(a.ID))
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

// quiet applies a mute to the finding that it is about. A finding that does not fail any more is left alone, since it has
// nothing to be quiet about; so is one whose mute was ended by a person, who needs no news of it.
func quiet(m commands.Mute, now time.Time) func(posture.Track) (posture.Track, error) {
	return func(t posture.Track) (posture.Track, error) {
		switch {
		case t.Last.Control != m.Control:
			return t, nil
		case !now.Before(m.Until):
			return t.Unsuppress().Notify(), nil
		}
		muted, err := t.Suppress(posture.Suppression{By: m.By, Reason: m.Reason, Until: m.Until}, now)
		if errors.Is(err, posture.ErrNotFailing) {
			return t, nil
		}
		return muted, err
	}
}

// follow changes what is remembered of an account's findings: f is given each track and returns the new one. It may be
// called more than once for a track. Nothing happens to an account that was never looked at.
func (s *Store) follow(ctx context.Context, q session, source string, account posture.AccountID, f func(posture.Track) (posture.Track, error)) error {
	tracks, _, err := readTracks(ctx, q, s.db.sql().lock, source, account)
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
