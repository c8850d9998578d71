// Package scale measures what a scan of a whole organization takes: time, memory, calls to AWS, and what is left of it when
// AWS throttles or the process is killed. It has tests and benchmarks only.
//
// The rules are:
//   - The real pieces are measured, in a process of their own whose peak memory the operating system tells: cmd/bot, and
//     the bot's scan with its database. The simulated organization stands in the process of the test.
//   - A benchmark prints what it measured beside what it is held to: `go test -run '^$' -bench . -benchtime 1x ./internal/scale`.
//     It takes a few minutes on two cores.
//   - With ROOTCHECK_PROOF=full the storm has a thousand accounts in place of 250.
package scale
