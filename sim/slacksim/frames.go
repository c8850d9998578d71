package slacksim

import (
	"encoding/binary"
	"net"
	"sync"
)

// frameWatcher follows the WebSocket frames that a client sends (RFC 6455 §5.2), because the
// library joins fragments before anybody can see that there were any.
type frameWatcher struct {
	net.Conn

	header  []byte // of the frame being read
	payload uint64 // bytes of its payload still to come

	mu       sync.Mutex
	messages []bool // for each message begun and not yet taken: whether it is fragmented
}

// Read reads from the client and notes where messages begin.
func (f *frameWatcher) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	f.follow(p[:n])
	return n, err //nolint:wrapcheck // the library tells timeouts and ends of stream by type
}

func (f *frameWatcher) follow(p []byte) {
	for len(p) > 0 {
		if f.payload > 0 {
			n := min(f.payload, uint64(len(p)))
			f.payload -= n
			p = p[n:]
			continue
		}
		f.header = append(f.header, p[0])
		p = p[1:]
		if need := headerSize(f.header); len(f.header) == need {
			f.begin()
			f.header = f.header[:0]
		}
	}
}

// headerSize returns how long the header that begins with h is, as far as h tells.
func headerSize(h []byte) int {
	if len(h) < 2 {
		return 2
	}
	n := 2
	switch h[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if h[1]&0x80 != 0 {
		n += 4
	}
	return n
}

// begin reads a complete header.
func (f *frameWatcher) begin() {
	h := f.header
	switch n := h[1] & 0x7f; n {
	case 126:
		f.payload = uint64(binary.BigEndian.Uint16(h[2:]))
	case 127:
		f.payload = binary.BigEndian.Uint64(h[2:])
	default:
		f.payload = uint64(n)
	}
	const text, binaryData = 1, 2
	if op := h[0] & 0x0f; op == text || op == binaryData {
		f.mu.Lock()
		f.messages = append(f.messages, h[0]&0x80 == 0)
		f.mu.Unlock()
	}
}

// nextFragmented takes the oldest message begun and reports whether it came in fragments.
func (f *frameWatcher) nextFragmented() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.messages) == 0 {
		return false
	}
	first := f.messages[0]
	f.messages = f.messages[1:]
	return first
}
