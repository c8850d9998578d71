package store

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// Marked returns the findings as they stood at a mark, in the order of source and account, or the zero time and nothing
// where nothing was ever marked so. Of those that passed or did not apply only the judgement was kept, not its sentence.
// They are unpacked one by one, as often as they are asked for.
func (s *Store) Marked(ctx context.Context, mark string) (at time.Time, findings iter.Seq2[posture.Finding, error], err error) {
	var when string
	var packed []byte
	err = s.db.reads().queryRow(ctx, `SELECT at, findings FROM mark WHERE name = $1`, mark).Scan(&when, &packed)
	if noRows(err) {
		return time.Time{}, func(func(posture.Finding, error) bool) {}, nil
	}
	if err != nil {
		return time.Time{}, nil, fmt.Errorf("read mark %s: %w", mark, err)
	}
	if at, err = time.Parse(time.RFC3339Nano, when); err != nil {
		return time.Time{}, nil, fmt.Errorf("read mark %s: %w", mark, err)
	}
	return at, unpackFindings(mark, packed), nil
}

// Mark remembers how the findings stand now. They are read page by page: a run that is under way may show in some.
func (s *Store) Mark(ctx context.Context, mark string, at time.Time) error {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	lines := json.NewEncoder(zip)
	err := s.Each(ctx, func(l commands.Look) error {
		for _, f := range l.Findings {
			if f.Status == posture.Passed || f.Status == posture.NotApplicable {
				f = posture.Finding{
					Control: f.Control, Account: f.Account, Source: f.Source, Status: f.Status, Severity: f.Severity, Code: f.Code, At: f.At,
				}
			}
			if err := lines.Encode(f); err != nil {
				return err
			}
		}
		return nil
	})
	if err = errors.Join(err, zip.Close()); err != nil {
		return fmt.Errorf("mark %s: %w", mark, err)
	}
	err = s.db.write(ctx, func(ctx context.Context, q session) error {
		_, failed := q.exec(ctx, `INSERT INTO mark (name, at, findings) VALUES ($1, $2, $3)
			ON CONFLICT (name) DO UPDATE SET at = excluded.at, findings = excluded.findings`,
			mark, at.UTC().Format(time.RFC3339Nano), packed.Bytes())
		return failed
	})
	if err != nil {
		return fmt.Errorf("mark %s: %w", mark, err)
	}
	return nil
}

// Rename gives a mark another name, in the place of what had that one. It returns ErrNotFound where there is no such mark.
func (s *Store) Rename(ctx context.Context, from, to string) error {
	found := int64(0)
	err := s.db.write(ctx, func(ctx context.Context, q session) error {
		if _, err := q.exec(ctx, `DELETE FROM mark WHERE name = $2 AND EXISTS (SELECT 1 FROM mark WHERE name = $1)`, from, to); err != nil {
			return err
		}
		n, err := q.exec(ctx, `UPDATE mark SET name = $2 WHERE name = $1`, from, to)
		found = n
		return err
	})
	if err == nil && found == 0 {
		err = commands.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("rename mark %s: %w", from, err)
	}
	return nil
}

// Forget lets go of the marks whose names begin so and that were made before a time.
func (s *Store) Forget(ctx context.Context, begins string, before time.Time) error {
	err := s.db.write(ctx, func(ctx context.Context, q session) error {
		marks, err := collect(ctx, q, func(scan scanner) (m [2]string, err error) { return m, scan(&m[0], &m[1]) },
			`SELECT name, at FROM mark WHERE substr(name, 1, $1) = $2`, len(begins), begins)
		if err != nil {
			return err
		}
		for _, m := range marks {
			at, err := time.Parse(time.RFC3339Nano, m[1])
			if err != nil || !at.Before(before) {
				continue
			}
			if _, err = q.exec(ctx, `DELETE FROM mark WHERE name = $1`, m[0]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("forget marks %s: %w", begins, err)
	}
	return nil
}

func unpackFindings(mark string, packed []byte) iter.Seq2[posture.Finding, error] {
	return func(yield func(posture.Finding, error) bool) {
		zip, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			yield(posture.Finding{}, fmt.Errorf("read mark %s: %w", mark, err))
			return
		}
		lines := json.NewDecoder(zip)
		for {
			var f posture.Finding
			err := lines.Decode(&f)
			if errors.Is(err, io.EOF) {
				err = zip.Close()
				if err == nil {
					return
				}
			}
			if err != nil {
				yield(posture.Finding{}, fmt.Errorf("read mark %s: %w", mark, err))
				return
			}
			if !yield(f, nil) {
				return
			}
		}
	}
}
