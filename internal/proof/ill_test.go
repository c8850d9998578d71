package proof_test

import (
	"strings"
	"sync"
	"testing"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// This file stands between SQLite and the disk, as a file system of SQLite's own kind (https://www.sqlite.org/vfs.html). It
// passes everything on to the ordinary one. In a folder that was made ill it answers as SQLite's does when the kernel says
// EIO; the index of the write-ahead log, which is shared memory, stays as it is.

// illness is what is wrong with a disk.
type illness int

const (
	healthy illness = iota
	cannotWrite
	cannotSync // takes what is written, and tells when it is synced that it was lost
	cannotRead
)

// ward are the folders that can be made ill, and the files that are open in them.
type ward struct {
	admit   sync.Once // puts itself before the ordinary file system
	mu      sync.RWMutex
	folders map[string]illness
	files   map[uintptr]string                       // folder of a file, by the file's address
	real    map[uintptr]*sqlite3.Tsqlite3_io_methods // the ordinary methods, by the address of ours
	ours    map[uintptr]uintptr                      // and the other way round
	keep    []*sqlite3.Tsqlite3_io_methods           // which only SQLite refers to
	open    openMethod
}

type (
	openMethod  = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32
	bytesMethod = func(tls *libc.TLS, file, bytes uintptr, n int32, at int64) int32
	syncMethod  = func(tls *libc.TLS, file uintptr, flags int32) int32
	sizeMethod  = func(tls *libc.TLS, file uintptr, size int64) int32
)

var theWard = &ward{
	folders: map[string]illness{}, files: map[uintptr]string{},
	real: map[uintptr]*sqlite3.Tsqlite3_io_methods{}, ours: map[uintptr]uintptr{},
}

// disk returns a folder, and what makes it ill and well again.
func (w *ward) disk(tb testing.TB) (dir string, make func(illness)) {
	tb.Helper()
	w.admit.Do(w.register)
	dir = memoryDir(tb)
	is := func(i illness) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.folders[dir] = i
	}
	is(healthy)
	tb.Cleanup(func() { is(healthy) })
	return dir, is
}

// register makes a copy of the ordinary file system, less how a file is opened, SQLite's first choice.
func (w *ward) register() {
	tls := libc.NewTLS()
	first := sqlite3.Xsqlite3_vfs_find(tls, 0)
	copied := *at[sqlite3.Tsqlite3_vfs](first)
	w.open = function[openMethod](copied.FxOpen)
	copied.FxOpen = pointer(illOpen)
	place := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(copied))) // as long as the process lives
	*at[sqlite3.Tsqlite3_vfs](place) = copied
	if code := sqlite3.Xsqlite3_vfs_register(tls, place, 1); code != sqlite3.SQLITE_OK {
		panic("SQLite takes no file system of ours")
	}
}

// at, pointer and function are how Go sees what C keeps.
func at[T any](address uintptr) *T      { return *(**T)(unsafe.Pointer(&address)) }
func pointer[F any](f F) uintptr        { return *(*uintptr)(unsafe.Pointer(&f)) }
func function[F any](address uintptr) F { return *(*F)(unsafe.Pointer(&address)) }
func methodsOf(file uintptr) *uintptr   { return at[uintptr](file) }
func (w *ward) ordinary(file uintptr) *sqlite3.Tsqlite3_io_methods {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.real[*methodsOf(file)]
}

// suffers reports whether the file lies where this is wrong.
func (w *ward) suffers(file uintptr, from illness) bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.folders[w.files[file]] == from
}

func illOpen(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32 {
	w := theWard
	code := w.open(tls, vfs, name, file, flags, out)
	if code != sqlite3.SQLITE_OK || name == 0 || *methodsOf(file) == 0 {
		return code
	}
	path := libc.GoString(name)
	dir := path[:strings.LastIndex(path, "/")+1]
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, known := w.folders[strings.TrimSuffix(dir, "/")]; known {
		w.files[file] = strings.TrimSuffix(dir, "/")
		*methodsOf(file) = w.between(*methodsOf(file))
	}
	return code
}

// between is a copy of a file's methods in which those that reach the disk are ours.
func (w *ward) between(real uintptr) uintptr {
	if known, ok := w.ours[real]; ok {
		return known
	}
	copied := *at[sqlite3.Tsqlite3_io_methods](real)
	copied.FxRead, copied.FxWrite = pointer(illRead), pointer(illWrite)
	copied.FxSync, copied.FxTruncate = pointer(illSync), pointer(illTruncate)
	w.keep = append(w.keep, &copied)
	place := uintptr(unsafe.Pointer(&copied))
	w.ours[real], w.real[place] = place, at[sqlite3.Tsqlite3_io_methods](real)
	return place
}

func illRead(tls *libc.TLS, file, bytes uintptr, n int32, offset int64) int32 {
	if theWard.suffers(file, cannotRead) {
		return sqlite3.SQLITE_IOERR_READ
	}
	return function[bytesMethod](theWard.ordinary(file).FxRead)(tls, file, bytes, n, offset)
}

func illWrite(tls *libc.TLS, file, bytes uintptr, n int32, offset int64) int32 {
	if theWard.suffers(file, cannotWrite) {
		return sqlite3.SQLITE_IOERR_WRITE
	}
	return function[bytesMethod](theWard.ordinary(file).FxWrite)(tls, file, bytes, n, offset)
}

func illSync(tls *libc.TLS, file uintptr, flags int32) int32 {
	if theWard.suffers(file, cannotSync) {
		return sqlite3.SQLITE_IOERR_FSYNC
	}
	return function[syncMethod](theWard.ordinary(file).FxSync)(tls, file, flags)
}

func illTruncate(tls *libc.TLS, file uintptr, size int64) int32 {
	if theWard.suffers(file, cannotWrite) {
		return sqlite3.SQLITE_IOERR_TRUNCATE
	}
	return function[sizeMethod](theWard.ordinary(file).FxTruncate)(tls, file, size)
}
