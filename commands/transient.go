package commands

import (
	"github.com/rootcheck-bot/rootcheck/posture"
)

// gaps are the reasons for which facts of the evidence are missing.
func gaps(e posture.Evidence) []*posture.Gap {
	return []*posture.Gap{
		e.AccessKeys.Gap, e.MFA.Gap, e.Certificates.Gap, e.Password.Gap, e.Keys.Gap, e.Devices.Gap, e.CertificateList.Gap,
		e.SignIn.Gap, e.KeyUse.Gap,
	}
}

// Transient counts the facts of the evidence that are missing for a reason that may pass by itself within the minute.
func Transient(e posture.Evidence) int {
	n := 0
	for _, g := range gaps(e) {
		if g != nil && (g.Reason == posture.ReasonThrottled || g.Reason == posture.ReasonNoAnswer) {
			n++
		}
	}
	return n
}

func isThrottled(e posture.Evidence) bool {
	for _, g := range gaps(e) {
		if g != nil && g.Reason == posture.ReasonThrottled {
			return true
		}
	}
	return false
}

// told reports whether the look told anything that a later one might not.
func told(e posture.Evidence) bool { return e.AccessKeys.Known() || e.MFA.Known() }

// better is the look that lacks less for a reason that may pass, and how much it lacks. Of two alike the later one counts.
func better(before *posture.Evidence, e posture.Evidence) (*posture.Evidence, int) {
	n := Transient(e)
	if before != nil {
		if was := Transient(*before); was < n {
			return before, was
		}
	}
	return &e, n
}
