package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/mattn/go-isatty"
	sqlite "modernc.org/sqlite/lib"
)

// versionCommand prints what this binary is.
type versionCommand struct{}

// Run prints one fact a line.
func (versionCommand) Run(p process) error {
	commit, modified := "unknown", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				commit = s.Value
			case "vcs.modified":
				if s.Value == "true" {
					modified = " (changed since)"
				}
			}
		}
	}
	_, err := fmt.Fprintf(p.Out, "rootcheck %s\ncommit    %s%s\ngo        %s %s/%s\nsqlite    %s\n",
		p.version(), commit, modified, runtime.Version(), runtime.GOOS, runtime.GOARCH, sqlite.SQLITE_VERSION)
	return err
}

// version is what a release was built as, else what the module's own build information says.
func (p process) version() string {
	if p.Version != "" {
		return p.Version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}

func isTerminal(f *os.File) bool { return isatty.IsTerminal(f.Fd()) || isatty.IsCygwinTerminal(f.Fd()) }
