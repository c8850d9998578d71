package report

import (
	"bufio"
	"fmt"
	"io"

	"github.com/rootcheck-bot/rootcheck/app"
)

// Audit writes what a verification found, and how far the log is proven.
func Audit(w io.Writer, v app.Verified) error {
	out := bufio.NewWriter(w)
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) }
	switch {
	case v.OK():
		line("The audit log is whole: %s.", count(int(v.Records), "record"))
	case v.Report.OK():
		line("The audit log is whole, and its signing key is in doubt: %s.", count(int(v.Records), "record"))
	default:
		line("The audit log was TAMPERED WITH: %s read, %s.", count(int(v.Records), "record"), count(len(v.Findings), "finding"))
	}
	for _, said := range []string{v.Shorter, v.KeyDoubt} {
		if said != "" {
			line("%s", clean(said))
		}
	}
	for _, f := range v.Findings {
		line("  %s", clean(f.String()))
	}
	if v.Stopped {
		line("  The verification ended early: so much is wrong that the rest adds nothing.")
	}
	if v.Head.Size > 0 || v.OK() {
		line("Head: %s", v.Head)
	}
	given := v.Own
	if v.Unchecked == "" {
		given += v.Published
	}
	switch {
	case v.Unchecked != "":
		line("The published heads were not checked: %s.", clean(v.Unchecked))
	case given == 0:
		line("No head has been published yet.")
	}
	if given > 0 {
		line("%d of %d heads agree.", v.Heads, given)
	}
	switch {
	case v.Witnessed == 0 && v.Records > 0:
		line("No head witnesses the log: who can write to the database could have made it anew. Keep the heads of the digests, and give one with --head.")
	case v.Witnessed > 0 && v.Witnessed < v.Records:
		line("Heads witness the records before number %d; the %s after it are vouched for by the database alone.", v.Witnessed, number(int(v.Records-v.Witnessed)))
	case v.Witnessed > 0:
		line("Heads witness every record.")
	}
	return out.Flush()
}
