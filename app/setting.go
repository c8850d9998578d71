package app

import (
	"errors"
	"fmt"
	"os"
)

// SettingError is a setting that the bot cannot start with. Its text is one sentence that names the setting and the
// fix, without the value of any secret.
type SettingError struct {
	Setting string // as the operator writes it, such as "schedules.digest"
	Fix     string // what to do, as a clause
	Err     error  // what went wrong, where something did
}

// Error is the sentence.
func (e *SettingError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%s: %s", e.Setting, e.Fix)
	}
	if path, ok := errors.AsType[*os.PathError](e.Err); ok {
		return fmt.Sprintf("%s: %s (%v)", e.Setting, e.Fix, path.Err)
	}
	return fmt.Sprintf("%s: %s (%v)", e.Setting, e.Fix, e.Err)
}

// Unwrap is what went wrong.
func (e *SettingError) Unwrap() error { return e.Err }
