package store

import (
	"context"
	"fmt"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// saveKeys keeps the whole ids of keys, so that they can be put back where bodies hold their handles.
func (s *Store) saveKeys(ctx context.Context, q session, account posture.AccountID, keys ...posture.Key) error {
	for _, k := range keys {
		if !k.ID.Whole() {
			continue
		}
		_, err := q.exec(ctx, `INSERT INTO root_key (account, fingerprint, key_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
			string(account), k.ID.Fingerprint(), string(k.ID))
		if err != nil {
			return fmt.Errorf("keep key %s: %w", k.ID, err)
		}
	}
	return nil
}

// keyring finds whole key ids by their fingerprints.
type keyring map[string]posture.KeyID

// whole puts the whole id in the place of a handle. A handle that nothing is known of stays one.
func (r keyring) whole(k *posture.Key) {
	if id, ok := r[k.ID.Fingerprint()]; ok && k.ID != "" {
		k.ID = id
	}
}

// keyring reads the ids of one account's keys, or with an empty account of all. There are few: two at most live in an
// account at one time.
func (s *Store) keyring(ctx context.Context, account posture.AccountID) (keyring, error) {
	var f filter
	f.equal("account", string(account))
	keys, err := collect(ctx, s.db.reads(), scanText, `SELECT key_id FROM root_key`+f.clause("fingerprint", 0), f.args...)
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	r := make(keyring, len(keys))
	for _, k := range keys {
		id := posture.KeyID(k)
		r[id.Fingerprint()] = id
	}
	return r, nil
}
