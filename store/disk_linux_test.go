package store

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestNetworkFileSystemsAreTold(t *testing.T) {
	t.Parallel()
	for magic, want := range map[uint32]string{
		0x6969: "NFS", 0xff534d42: "SMB", 0x65735546: "FUSE", 0x01021997: "9P",
		0xef53: "", 0x01021994: "", 0x794c7630: "", 0x58465342: "", 0x9123683e: "", // ext4, tmpfs, overlay, XFS, Btrfs
	} {
		if got := remoteKind(magic); got != want {
			t.Errorf("%#x is %q, want %q", magic, got, want)
		}
	}
}

func TestAReadOnlyFileSystemIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_RDONLY, "size=1m"); err != nil {
		t.Skipf("SKIPPED: a file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	s, err := Open(t.Context(), Config{URL: filepath.Join(dir, "rootcheck.db"), Now: fixed})
	if err == nil {
		t.Fatal("it was opened", s.Close())
	}
	if text := err.Error(); !strings.HasPrefix(text, "database: ") || !strings.Contains(text, "may write to") || strings.Contains(text, "\n") {
		t.Errorf("%q", text)
	}
}

func TestAReaderOfAReadOnlyFileSystemIsToldSo(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("SKIPPED: a file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	c := Config{URL: filepath.Join(dir, "rootcheck.db"), Now: fixed}
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err = s.Close(); err != nil {
		t.Fatal(err)
	}
	if err = syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if s, err = OpenReadOnly(t.Context(), c); err == nil {
		t.Fatal("it was opened", s.Close())
	}
	if text := err.Error(); !strings.HasPrefix(text, "database: ") || !strings.Contains(text, "cannot be written") || strings.Contains(text, "\n") {
		t.Errorf("%q", text)
	}
}
