package posture

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"strings"
	"time"
)

// KeyID is the id of a root access key. It prints, logs and marshals masked; the whole id is string(k).
//
// A KeyID that was read back from JSON is a handle, "AKIA…WXYZ#fingerprint", until the store puts the whole id back:
// it is kept in one column made for it and nowhere else.
type KeyID string

const keyMask = "…"

// Whole reports whether k is a whole key id and not a handle or empty.
func (k KeyID) Whole() bool { return k != "" && !strings.Contains(string(k), keyMask) }

// Mask is what people and logs see: the first and the last four characters.
func (k KeyID) Mask() string {
	s := string(k)
	if i := strings.IndexByte(s, '#'); i >= 0 {
		return s[:i]
	}
	if len(s) <= 8 {
		return keyMask
	}
	return s[:4] + keyMask + s[len(s)-4:]
}

// Last4 is the part of the id that a person types to show that they mean this key.
func (k KeyID) Last4() string {
	m := k.Mask()
	if len(m) < 4 {
		return ""
	}
	return m[len(m)-4:]
}

// Fingerprint identifies the key without naming it: the first 16 hexadecimal digits of the SHA-256 of the whole id.
func (k KeyID) Fingerprint() string {
	s := string(k)
	if _, after, ok := strings.Cut(s, "#"); ok {
		return after
	}
	if s == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}

// Same reports whether both name the same key, whole or as handles.
func (k KeyID) Same(o KeyID) bool { return k.Fingerprint() == o.Fingerprint() }

// String is the masked id, so that no format verb but a conversion shows the whole one.
func (k KeyID) String() string { return k.Mask() }

// GoString is the masked id.
func (k KeyID) GoString() string { return k.Mask() }

// LogValue is the masked id.
func (k KeyID) LogValue() slog.Value { return slog.StringValue(k.Mask()) }

// MarshalJSON writes the handle.
func (k KeyID) MarshalJSON() ([]byte, error) {
	if k == "" {
		return []byte(`""`), nil
	}
	return json.Marshal(k.Mask() + "#" + k.Fingerprint())
}

// KeyStatus is the status that ListAccessKeys gives a key.
type KeyStatus string

// The statuses of a root access key.
const (
	KeyActive   KeyStatus = "Active"
	KeyInactive KeyStatus = "Inactive"
)

// Key is one root access key. ID is empty where only a read-only role looks in: then Created, from the credential
// report, is the name of the key.
type Key struct {
	ID          KeyID     `json:"id"`
	Status      KeyStatus `json:"status"`
	Created     time.Time `json:"created,omitzero"`
	LastUsed    time.Time `json:"last_used,omitzero"` // zero: never, as far as AWS has told; AWS keeps it in steps of 15 minutes
	UsedService string    `json:"used_service,omitempty"`
	UsedRegion  string    `json:"used_region,omitempty"`
}

// subject names the key in a finding: by its fingerprint, and by its creation date where nobody could read its id.
func (k Key) subject() string {
	if k.ID == "" {
		return k.Created.UTC().Format(time.RFC3339)
	}
	return k.ID.Fingerprint()
}
