// Package system tries the bot as a whole: the real binary, killed and ended by signals, and the real wiring in the tests' own
// process, with simulators and foreign servers on loopback in place of Slack and AWS.
//
// It has no code of its own. The rules are:
//   - The judge is what stands outside the bot: the simulators' call logs, and the clicks that the tests sent themselves.
//   - Processes are killed as the kernel kills them, by SIGKILL, at moments that nobody chose.
//   - Figures are printed, and a figure that is missed fails.
//   - Nothing leaves loopback, and every wait has an end.
//
// The size of a run is set by ROOTCHECK_PROOF: empty for a sample, "full" for three hundred kills, with which it takes some
// minutes:
//
//	ROOTCHECK_PROOF=full go test -timeout 20m ./internal/system/
//	go test -run '^$' -bench . -benchtime 1x ./internal/system/
package system
