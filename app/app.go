// Package app is the process as a value: settings in, a running bot out.
//
// The rules are:
//   - [Load] and [Config.Validate] find what is wrong with the settings before anything starts, one sentence each.
//   - [New] wires, [App.Run] runs, [App.Close] ends. Signals, flags and exit codes belong to cmd.
//   - There is no branch for the demo or for tests: they point the same wiring elsewhere by the same settings.
package app
