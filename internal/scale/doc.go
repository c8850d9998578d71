// Package scale measures what a scan of a whole organization takes: time, memory, calls to AWS, and what is left of it when
// AWS throttles or the process is killed. It has tests and benchmarks only.
//
// The rules are:
//   - The real pieces are measured, in a process of their own whose peak memory the operating system tells: cmd/bot, and the bot's scan with its database. The simulated organization stands in the process of the test.
//   - A benchmark prints what it measured beside what it is held to. `go test -bench . -benchtime 1x ./internal/scale`; with
//     ROOTCHECK_PROOF=full it also scans fifty thousand accounts.
package scale
