// Package audit is the bot's memory that cannot be changed without it showing: who asked, who confirmed, what was done,
// what was refused, and what AWS answered.
//
// The rules are:
//   - No audit row, no action. A [Receipt] exists only for an event that was committed, and nothing that changes AWS runs
//     without one.
//   - A refusal is recorded as fully as a success.
//   - A record is its canonical bytes, a [Leaf]. They are hashed into a Merkle tree (RFC 6962,
//     https://www.rfc-editor.org/rfc/rfc6962#section-2.1) and are never rewritten.
//   - The tree alone proves nothing to somebody who can rewrite the database. The signed [Head] does, because copies of it
//     lie where the database's administrator does not reach: in each digest, in each deletion's thread, with an auditor.
//   - No whole access key id and no token is ever written: a key is its handle, and text is masked on its way in.
//   - The package is pure: no clock, no storage, no network. Randomness is needed once, for the signing key, and is given.
package audit
