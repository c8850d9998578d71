package posture

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"
)

// KeyID is the id of a root access key. It prints, logs and marshals masked; the whole id is string(k).
//
// A KeyID that was read back from JSON is a handle, "AKIA…WXYZ#fingerprint", until the store puts the whole id back:
// it is kept in one column made for it and nowhere else.
//
// Three ways around the mask cannot be closed by a type and must not be taken: an unexported field of a struct that is
// printed as a whole, the verb %p, and the key of a map that is marshalled.
type KeyID string

const keyMask = "…"

// handle splits what [KeyID.MarshalJSON] wrote. Anything else that has a "#" or a "…" in it is an id that AWS never gave,
// and is masked as a whole.
func (k KeyID) handle() (mask, fingerprint string, ok bool) {
	at := strings.LastIndexByte(string(k), '#')
	if at < 0 {
		return "", "", false
	}
	mask, fingerprint = string(k[:at]), string(k[at+1:])
	if len(fingerprint) != 16 || strings.Trim(fingerprint, "0123456789abcdef") != "" {
		return "", "", false
	}
	first, last, ok := strings.Cut(mask, keyMask)
	shape := utf8.RuneCountInString(first) == 4 && utf8.RuneCountInString(last) == 4
	return mask, fingerprint, ok && (shape || mask == keyMask)
}

// Whole reports whether k is a whole key id and not a handle or empty.
func (k KeyID) Whole() bool { return k != "" && !strings.Contains(string(k), keyMask) }

// Mask is what people and logs see: the first and the last four characters. It is empty for an empty id.
func (k KeyID) Mask() string {
	if k == "" {
		return ""
	}
	if mask, _, ok := k.handle(); ok {
		return mask
	}
	runes := []rune(string(k))
	if len(runes) <= 8 || strings.Contains(string(k), keyMask) {
		return keyMask
	}
	return string(runes[:4]) + keyMask + string(runes[len(runes)-4:])
}

// Last4 is the part of the id that a person types to show that they mean this key. It is empty where the id is too short
// to have one.
func (k KeyID) Last4() string {
	_, last, _ := strings.Cut(k.Mask(), keyMask)
	return last
}

// Fingerprint identifies the key without naming it: the first 16 hexadecimal digits of the SHA-256 of the whole id. It is
// empty for an empty id.
func (k KeyID) Fingerprint() string {
	if k == "" {
		return ""
	}
	if _, fingerprint, ok := k.handle(); ok {
		return fingerprint
	}
	sum := sha256.Sum256([]byte(k))
	return hex.EncodeToString(sum[:8])
}

// Same reports whether both name the same key, whole or as handles. An empty id names no key and is never the same.
func (k KeyID) Same(o KeyID) bool { return k != "" && k.Fingerprint() == o.Fingerprint() }

// String is the masked id.
func (k KeyID) String() string { return k.Mask() }

// GoString is the masked id.
func (k KeyID) GoString() string { return k.Mask() }

// Format writes the masked id for every verb. String alone is not enough: fmt shows the raw value for a verb that does not
// fit a string, such as %d.
func (k KeyID) Format(s fmt.State, verb rune) {
	// A failed write is the caller's to see: fmt.Fprintf returns it for the whole line.
	_, _ = fmt.Fprintf(s, fmt.FormatString(s, verb), k.Mask())
}

// LogValue is the masked id.
func (k KeyID) LogValue() slog.Value { return slog.StringValue(k.Mask()) }

// MarshalText writes the handle, for encodings that are not JSON.
func (k KeyID) MarshalText() ([]byte, error) {
	if k == "" {
		return nil, nil
	}
	return []byte(k.Mask() + "#" + k.Fingerprint()), nil
}

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

// MayBe reports whether two keys of one account may be one: by their ids where both are known, else by their creation
// dates. A key without a name may be any of them.
func (k Key) MayBe(o Key) bool {
	switch {
	case k.ID != "" && o.ID != "":
		return k.ID.Same(o.ID)
	case k.Created.IsZero() || o.Created.IsZero():
		return true
	default:
		return k.Created.Equal(o.Created)
	}
}

// subject names the key in a finding: by its fingerprint, and by its creation date where nobody could read its id.
func (k Key) subject() string {
	if k.ID == "" {
		return k.Created.UTC().Format(time.RFC3339)
	}
	return k.ID.Fingerprint()
}
