package awssim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// What the simulator mints can be recognised without being remembered: an access key id carries its account, as AWS's
// own do, and two bytes that only this organization can compute; a session token carries the session, signed. So a scan
// of ten thousand accounts leaves no sessions behind, and an expired session is never mistaken for a stranger's key.

// tokenPrefix is how session tokens of AWS begin; clients only pass them on.
const tokenPrefix = "IQoJb3JpZ2luX2VjE" //nolint:gosec // the same in every token; no secret

// session is what a session token says.
type session struct {
	KeyID   string `json:"k"`
	Kind    kind   `json:"t"`
	Account string `json:"a"`
	Role    string `json:"r,omitempty"` // role or user name
	Name    string `json:"n,omitempty"` // session name
	Task    string `json:"p,omitempty"` // name of the root task policy
	Expires int64  `json:"e"`
}

// mintID returns a fresh access key id that belongs to the account.
func (o *Organization) mintID(prefix, accountID string) string {
	o.serial++
	n, err := strconv.ParseUint(accountID, 10, 40)
	if err != nil {
		n = 0
	}
	b := binary.BigEndian.AppendUint64(nil, 1<<47|n<<7|uint64(o.serial&0x7f))[2:]
	b = binary.BigEndian.AppendUint16(b, uint16(o.serial>>7)) //nolint:gosec // wraps after eight million ids
	b = append(b, o.mac(prefix, b)[:2]...)
	return prefix + base32.StdEncoding.EncodeToString(b)
}

// minted reports whether the id was minted by this organization, now or in an earlier life.
func (o *Organization) minted(id string) bool {
	if len(id) != 20 {
		return false
	}
	b, err := base32.StdEncoding.DecodeString(id[4:])
	return err == nil && hmac.Equal(b[8:], o.mac(id[:4], b[:8])[:2])
}

// accountOf reads the account out of an access key id, as sts:GetAccessKeyInfo does.
func accountOf(id string) (string, bool) {
	if len(id) != 20 {
		return "", false
	}
	b, err := base32.StdEncoding.DecodeString(id[4:])
	if err != nil {
		return "", false
	}
	n := binary.BigEndian.Uint64(append([]byte{0, 0}, b[:6]...)) & 0x7fffffffff80 >> 7
	return fmt.Sprintf("%012d", n), n < 1_000_000_000_000
}

func (o *Organization) secretFor(id string) string {
	return base64.StdEncoding.EncodeToString(o.mac("secret", []byte(id)))[:40]
}

func (o *Organization) mac(label string, b []byte) []byte {
	h := hmac.New(sha256.New, o.secret)
	h.Write([]byte(label))
	h.Write([]byte{0})
	h.Write(b)
	return h.Sum(nil)
}

func (o *Organization) seal(s session) (string, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("seal session: %w", err)
	}
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(append(b, o.mac("token", b)[:16]...)), nil
}

// open returns the session that a token stands for, and false for a token that was not sealed here.
func (o *Organization) open(token string) (session, bool) {
	var s session
	coded, ok := strings.CutPrefix(token, tokenPrefix)
	if !ok {
		return s, false
	}
	b, err := base64.RawURLEncoding.DecodeString(coded)
	if err != nil || len(b) < 16 {
		return s, false
	}
	body, sum := b[:len(b)-16], b[len(b)-16:]
	if !hmac.Equal(sum, o.mac("token", body)[:16]) || json.Unmarshal(body, &s) != nil {
		return s, false
	}
	return s, true
}
