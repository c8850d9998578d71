// Package proof holds the proofs that a key goes safely: never more than was confirmed, nothing lost, everything on record.
//
// It has no code of its own. Its tests put the real pieces together (verbs, worker, store, the AWS edge with the real SDK),
// point them at the simulators over loopback, and break what can break. The rules are:
//   - The simulator's call log is the judge. What the bot's own tables say is never taken for what happened.
//   - Boundaries are counted by decorators that implement every method of every port by name: a new method does not
//     compile, and a new call is a new point by itself.
//   - Time is moved by hand. Nothing waits for a clock.
//   - Figures are printed, so that a run that proves little cannot look like one that proves much.
//
// The size of a run is set by ROOTCHECK_PROOF: empty for a sample that a newcomer can wait for, "full" for what every
// change must pass (every point, five hundred pairs, five thousand requests), "long" for all pairs:
//
//	ROOTCHECK_PROOF=full go test -timeout 60m -v ./internal/proof/
//	ROOTCHECK_PROOF=long go test -timeout 12h ./internal/proof/
package proof
