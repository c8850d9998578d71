package app

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
)

// Secret is a token. It refuses to print: whoever needs it says Reveal, which a reviewer can search for.
type Secret struct{ value string }

// NewSecret wraps a token.
func NewSecret(v string) Secret { return Secret{value: strings.TrimSpace(v)} }

// Reveal is the token itself.
func (s Secret) Reveal() string { return s.value }

// Set reports whether there is one.
func (s Secret) Set() bool { return s.value != "" }

const hidden = "<secret>"

// String hides the token.
func (s Secret) String() string {
	if !s.Set() {
		return ""
	}
	return hidden
}

// GoString hides the token.
func (s Secret) GoString() string { return s.String() }

// Format hides the token from every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue hides the token.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the token.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// secret reads NAME, or the file that NAME_FILE names. Both at once is an error: nobody could tell which one counts.
func secret(env func(string) string, name string) (Secret, error) {
	value, file := env(name), env(name+"_FILE")
	switch {
	case value != "" && file != "":
		return Secret{}, &SettingError{Setting: name, Fix: "unset either it or " + name + "_FILE: both are set"}
	case file != "":
		b, err := os.ReadFile(file) //nolint:gosec // The operator names the file.
		if err != nil {
			return Secret{}, &SettingError{Setting: name + "_FILE", Fix: readable(file, err), Err: err}
		}
		s := NewSecret(string(b))
		if !s.Set() {
			return Secret{}, &SettingError{Setting: name + "_FILE", Fix: "write the token into " + file + ", which is empty"}
		}
		return s, nil
	default:
		return NewSecret(value), nil
	}
}
