package audit

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// ErrForged is wrapped by the error of [OpenHead] when the signature is not one of the given keys' over this text.
var ErrForged = errors.New("the signature does not hold")

// Signer holds the log's Ed25519 key. It belongs outside the database, in a file that only the bot can read: whoever has
// both can rewrite history and sign it, up to the first head that somebody else kept. It prints as its public key.
type Signer struct {
	signer   note.Signer
	secret   func() string // not a string: package fmt prints the unexported fields of a struct that holds a Signer
	verifier string
}

// NewSigner makes a key with 32 bytes of random. The name stands in every signed head; it is not empty and holds neither
// spaces nor a plus sign, for instance "rootcheck/acme".
func NewSigner(name string, random io.Reader) (Signer, error) {
	if err := checkName(name); err != nil {
		return Signer{}, err
	}
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(random, seed); err != nil {
		return Signer{}, fmt.Errorf("make signing key: %w", err)
	}
	secret, _, err := note.GenerateKey(strings.NewReader(string(seed)), name)
	if err != nil {
		return Signer{}, fmt.Errorf("make signing key: %w", err)
	}
	return ParseSigner(secret)
}

// ParseSigner reads what [Signer.Marshal] wrote. Space around it is ignored. Errors do not repeat the text.
func ParseSigner(text string) (Signer, error) {
	text = strings.TrimSpace(text)
	s, err := note.NewSigner(text)
	if err != nil {
		return Signer{}, errors.New("read signing key: not a key of the form PRIVATE+KEY+name+hash+data")
	}

	// The text holds the seed, and the public half must be made from it. The data itself may contain a plus sign. Its
	// first byte names the algorithm, which note.NewSigner has checked.
	parts := strings.SplitN(text, "+", 5)
	data, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(data) != 1+ed25519.SeedSize {
		return Signer{}, errors.New("read signing key: not a key of the form PRIVATE+KEY+name+hash+data")
	}
	public, ok := ed25519.NewKeyFromSeed(data[1:]).Public().(ed25519.PublicKey)
	if !ok {
		return Signer{}, errors.New("read signing key: not an Ed25519 key")
	}
	verifier, err := note.NewEd25519VerifierKey(s.Name(), public)
	if err != nil {
		return Signer{}, fmt.Errorf("read signing key: %w", err)
	}
	return Signer{signer: s, secret: func() string { return text }, verifier: verifier}, nil
}

// Marshal is the whole key, the private half included, in one line without a newline. Its file wants mode 0600. The zero
// Signer has none.
func (s Signer) Marshal() string {
	if s.secret == nil {
		return ""
	}
	return s.secret()
}

// Verifier is the public key in one line, "name+hash+data": an auditor keeps it, and it may stand anywhere.
func (s Signer) Verifier() string { return s.verifier }

// String is the public key.
func (s Signer) String() string { return s.verifier }

// GoString is the public key.
func (s Signer) GoString() string { return s.verifier }

// LogValue is the public key.
func (s Signer) LogValue() slog.Value { return slog.StringValue(s.verifier) }

// SignedHead is a head that a signer vouched for. [Signer.SignHead] makes one, [OpenHead] reads one, and [ParseSignedHead]
// takes its reader's word for it.
type SignedHead struct {
	Head
	At   time.Time // when it was signed, by the bot's clock
	Name string    // whose key signed it
	sig  string    // base64 of the key's hash and the signature, as notes write it
}

// SignHead signs a head together with the time. Signing the same twice gives the same text.
func (s Signer) SignHead(h Head, at time.Time) (SignedHead, error) {
	if s.signer == nil {
		return SignedHead{}, errors.New("sign head: no signing key")
	}
	if err := sized(h.Size); err != nil {
		return SignedHead{}, fmt.Errorf("sign head: %w", err)
	}
	at = at.Round(0).UTC()
	if y := at.Year(); at.IsZero() || y < 1 || y > 9999 {
		return SignedHead{}, errors.New("sign head: no usable time")
	}

	signed := SignedHead{Head: h, At: at, Name: s.signer.Name()}
	msg, err := note.Sign(&note.Note{Text: signed.text()}, s.signer)
	if err != nil {
		return SignedHead{}, fmt.Errorf("sign head: %w", err)
	}
	line := strings.Fields(string(msg[len(signed.text()):]))
	signed.sig = line[len(line)-1]
	return signed, nil
}

// text is what is signed: a checkpoint (https://c2sp.org/tlog-checkpoint) whose origin is the key's name, with the time
// as its extension line.
func (h SignedHead) text() string {
	return fmt.Sprintf("%s\n%d\n%s\n%s\n", h.Name, h.Size, h.Hash, h.At.Format(time.RFC3339Nano))
}

// Note is the head as a signed note, five lines that other checkpoint tools read too.
func (h SignedHead) Note() string { return h.text() + "\n— " + h.Name + " " + h.sig + "\n" }

// String is the head in one line, for a message or a terminal. [OpenHead] reads it back whole: nothing is cut short.
func (h SignedHead) String() string {
	return h.Head.String() + " · at " + h.At.Format(time.RFC3339Nano) + " · by " + h.Name + " · sig " + h.sig
}

// OpenHead reads a signed head, as a note or as one line, and checks its signature against the verifier keys; one that
// holds is enough, so that the keys of before a rotation can be given too. An error that wraps [ErrForged] means that the
// text is well formed and signed by none of them; any other, that it is no signed head or a verifier is no key.
func OpenHead(text string, verifiers ...string) (SignedHead, error) {
	h, err := ParseSignedHead(text)
	if err != nil {
		return SignedHead{}, err
	}
	for _, v := range verifiers {
		key, err := note.NewVerifier(strings.TrimSpace(v))
		if err != nil {
			return SignedHead{}, fmt.Errorf("read verifier key %q: %w", v, err)
		}
		if _, err := note.Open([]byte(h.Note()), note.VerifierList(key)); err == nil {
			return h, nil
		}
	}
	return SignedHead{}, fmt.Errorf("open head of size %d by %s: %w", h.Size, h.Name, ErrForged)
}

// ParseHead reads the size and the hash from a head in any of its forms, a [Head.String] included, and checks no
// signature: it is for a copy that its reader trusts by itself.
func ParseHead(text string) (Head, error) {
	if h, err := ParseSignedHead(text); err == nil {
		return h.Head, nil
	}
	f := fields(text)
	if len(f) != 4 || f[0] != "size" || f[2] != "hash" {
		return Head{}, errors.New(`read head: not of the form "size 1234 · hash …"`)
	}
	return parseSizeHash(f[1], f[3])
}

// ParseSignedHead reads a signed head, as a note or as one line, and checks no signature, as [ParseHead] does. The error is
// for a head without a signature too.
func ParseSignedHead(text string) (SignedHead, error) {
	f := fields(text)
	switch {
	case len(f) == 10 && f[0] == "size" && f[2] == "hash" && f[4] == "at" && f[6] == "by" && f[8] == "sig":
		return signedFrom(f[7], f[1], f[3], f[5], f[9])
	case len(f) == 7 && f[4] == "—" && f[5] == f[0]:
		return signedFrom(f[0], f[1], f[2], f[3], f[6])
	}
	return SignedHead{}, errors.New(`read signed head: neither a note nor of the form "size 1234 · hash … · at … · by … · sig …"`)
}

// fields forgives what happens to a line that is copied out of a message: other white space, quotes, a code block.
func fields(text string) []string {
	var out []string
	for f := range strings.FieldsSeq(strings.Trim(strings.TrimSpace(text), "`\"'")) {
		if f != "·" {
			out = append(out, f)
		}
	}
	return out
}

func signedFrom(name, size, hash, at, sig string) (SignedHead, error) {
	if err := checkName(name); err != nil {
		return SignedHead{}, fmt.Errorf("read signed head: %w", err)
	}
	h, err := parseSizeHash(size, hash)
	if err != nil {
		return SignedHead{}, err
	}
	t, err := time.Parse(time.RFC3339Nano, at)
	if err != nil || t.UTC().Format(time.RFC3339Nano) != at {
		return SignedHead{}, fmt.Errorf("read signed head: %q is not a time in UTC", at)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(sig)
	if err != nil || len(raw) != 4+ed25519.SignatureSize {
		return SignedHead{}, errors.New("read signed head: the signature is damaged or cut short")
	}
	return SignedHead{Head: h, At: t.UTC(), Name: name, sig: sig}, nil
}

func parseSizeHash(size, hash string) (Head, error) {
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil || sized(n) != nil || strconv.FormatInt(n, 10) != size {
		return Head{}, fmt.Errorf("read head: %q is not the size of a log", size)
	}
	h, err := tlog.ParseHash(hash)
	if err != nil || h.String() != hash {
		return Head{}, errors.New("read head: the hash is damaged or cut short")
	}
	return Head{Size: n, Hash: h}, nil
}

// checkName holds the rule of package note for names, and refuses control characters, which a signed text cannot hold.
func checkName(name string) error {
	if name == "" || len(name) > 200 || len(fields(name)) != 1 || fields(name)[0] != name || strings.ContainsRune(name, '+') ||
		strings.ToValidUTF8(name, "") != name || strings.ContainsFunc(name, func(r rune) bool { return r < 0x21 || r == 0x7f }) {
		return errors.New("name of the signing key: neither empty nor with a space, a plus sign or a quote at its ends")
	}
	return nil
}
