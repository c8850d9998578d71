package app

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rootcheck-bot/rootcheck/commands"
)

func TestADiskThatIsNearlyFullIsToldOnceAndUntilThereIsRoom(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=16m"); err != nil {
		t.Skipf("SKIPPED: a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	k := keepsAt(t, dir)
	k.upkeep.space(t.Context())
	if said := k.upkeep.sentences(); len(said) != 0 {
		t.Fatalf("with room it says %v", said)
	}
	filler := filepath.Join(dir, "something else")
	free, _, _, err := k.store.Space()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filler, make([]byte, free-1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		k.upkeep.space(t.Context())
	}
	if said := k.upkeep.sentences(); len(said) != 1 || !strings.Contains(said[0], "MB (") || !strings.Contains(said[0], "Make room") {
		t.Errorf("it says %v", said)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	k.upkeep.space(t.Context())
	if said := k.upkeep.sentences(); len(said) != 0 {
		t.Errorf("with room again it says %v", said)
	}
	if told := k.notices(t); !slices.Equal(told, []commands.NoticeKind{commands.NoticeLowSpace}) {
		t.Errorf("told %v, want one notice", told)
	}
}
