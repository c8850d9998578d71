package posture

import (
	"slices"
	"time"
)

// judgeActivity fails on one known use and passes only when both kinds of use were read, and lately. That the root user
// has no credentials now does not count: credentials that were used and then removed leave nothing to read.
//
// AWS records the first use in any fifteen minutes, so a use shortly after one that was told is the same use.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html
func (e Evidence) judgeActivity(p Policy, now time.Time) verdict {
	start := p.start(now)
	e.SignIn, e.KeyUse = ofUse(e.SignIn), ofUse(e.KeyUse)
	key := e.latestKeyUse()
	signedIn, keyUsed := usedSince(e.SignIn, start), usedSince(key, start)
	switch {
	case signedIn && keyUsed:
		return e.used(failed(CodeSignInAndKeyUse, "The root user signed in at "+clock(e.SignIn.Value.At, now)+
			" and used an access key at "+clock(key.Value.At, now), e.SignIn.stamp(), key.stamp()), e.SignIn, key)
	case signedIn:
		return e.used(failed(CodeSignIn, "The root user signed in at "+clock(e.SignIn.Value.At, now), e.SignIn.stamp()), e.SignIn)
	case keyUsed:
		return e.used(failed(CodeKeyUse, "A root access key was used at "+clock(key.Value.At, now), key.stamp()), key)
	case !e.SignIn.Known():
		return e.blind(e.unknown(CodeSignInUnknown, "When the root user last signed in could not be read", e.SignIn.why()), start)
	case !e.KeyUse.Known():
		return e.blind(e.unknown(CodeKeyUseUnknown, "When a root access key was last used could not be read", e.KeyUse.why()), start)
	case now.Sub(e.SignIn.At) > activityLag || now.Sub(e.KeyUse.At) > activityLag:
		return e.blind(unknown(CodeActivityStale, "Whether the root user was used lately could not be read", Gap{Reason: ReasonStale}), start)
	default:
		return passed(CodeNoActivity, "The root user was not used since "+clock(start, now), e.SignIn.stamp(), e.KeyUse.stamp())
	}
}

// ToldUntil is up to when a finding, and those before it, told of the root user's activity, and false where it says nothing of
// that. Whoever was told of the finding needs it as the next judgement's [Policy.Since].
func (f Finding) ToldUntil() (time.Time, bool) {
	switch {
	case f.Control != RootActivity:
		return time.Time{}, false
	case f.Status == NotAvailable:
		return f.Told, !f.Told.IsZero()
	default:
		return f.At, f.Status == Passed || f.Status == Failed
	}
}

// blind is a judgement of activity that cannot be made. What one kind of use shows is told all the same; where neither could
// be read, a later look counts from where this one would have. Where there is no credential there is nothing to go back for.
func (e Evidence) blind(v verdict, start time.Time) verdict {
	uses := []Fact[Use]{e.SignIn, e.KeyUse}
	for _, f := range uses {
		if f.Known() && (v.told.IsZero() || f.At.Before(v.told)) {
			v.told = f.At
		}
	}
	if v.told.IsZero() && slices.ContainsFunc(uses, func(f Fact[Use]) bool { return f.why().Reason != ReasonNotOffered }) {
		v.told = start
	}
	return v
}

// ofUse is the fact if its source speaks of use. The account summary and the list of keys speak of what exists now: "never"
// by them would turn a key that was used this morning and deleted at noon into a root user that was not used today.
func ofUse(f Fact[Use]) Fact[Use] {
	if f.Known() && f.Value.At.IsZero() && (f.Source == SourceSummary || f.Source == SourceKeys) {
		return Missing[Use](f.Source, Gap{Reason: ReasonNotOffered})
	}
	return f
}

// latestKeyUse is the latest use of a root key that anything tells of. A listed key adds a use that it shows; that it
// shows none adds nothing, because a list can be read without asking for the last use of its keys.
func (e Evidence) latestKeyUse() Fact[Use] {
	latest := e.KeyUse
	if !e.Keys.Known() {
		return latest
	}
	for _, k := range e.Keys.Value {
		if k.LastUsed.IsZero() || latest.Known() && !k.LastUsed.After(latest.Value.At) {
			continue
		}
		latest = Told(Use{At: k.LastUsed, Service: k.UsedService, Region: k.UsedRegion}, e.Keys.Source, e.Keys.At)
	}
	return latest
}

// used notes the latest of the uses that fail, and the age of every fact that was weighed. The next digest counts from the
// oldest of them: a use that it could not show yet would otherwise never be reported.
func (e Evidence) used(v verdict, uses ...Fact[Use]) verdict {
	for _, u := range uses {
		if u.Value.At.After(v.used) {
			v.used = u.Value.At
		}
	}
	for _, f := range []Fact[Use]{e.SignIn, e.KeyUse} {
		if f.Known() {
			v.weighed = append(v.weighed, f.stamp())
		}
	}
	return v
}

// usedSince reports whether a use is known to have been at start or later; never is before any start. A time that has not come yet counts: a clock is
// wrong, and hiding the use would be the worse mistake.
func usedSince(f Fact[Use], start time.Time) bool {
	return f.Known() && !f.Value.At.Before(start)
}
