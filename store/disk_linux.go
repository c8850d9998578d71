//go:build linux

package store

import "syscall"

// networkFileSystem names the network file system that a folder lies on, or is empty. EFS is mounted as NFS; what comes by
// FUSE may come from anywhere. The numbers are those of statfs(2), https://man7.org/linux/man-pages/man2/statfs.2.html.
func networkFileSystem(dir string) string {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return "" // opening the file tells why
	}
	return remoteKind(uint32(s.Type)) //nolint:gosec // the kernel's numbers have 32 bits, whatever the width of the field
}

func remoteKind(magic uint32) string {
	switch magic {
	case 0x6969:
		return "NFS"
	case 0x517b, 0xff534d42, 0xfe534d42:
		return "SMB"
	case 0x65735546:
		return "FUSE"
	case 0x01021997:
		return "9P"
	case 0x5346414f, 0x6b414653:
		return "AFS"
	case 0x00c36400:
		return "Ceph"
	case 0x0bd00bd0:
		return "Lustre"
	case 0x01161970:
		return "GFS2"
	case 0x7461636f:
		return "OCFS2"
	case 0x47504653:
		return "GPFS"
	}
	return ""
}

// diskSpace is what an ordinary user may still write, and all there is.
func diskSpace(dir string) (free, total uint64, ok bool, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, 0, false, err
	}
	size := uint64(s.Bsize) //nolint:gosec // a block size is positive
	return s.Bavail * size, s.Blocks * size, true, nil
}
