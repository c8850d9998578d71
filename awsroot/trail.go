package awsroot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"golang.org/x/time/rate"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// The event history tells of the root user's last 90 days. The rules are:
//   - Sign-ins of the root user are recorded in one of three Regions, so three answers tell when the last one was.
//   - The use of a key is recorded where the call was made, which may be anywhere. What three Regions show adds a use to
//     what the credential report tells; that they show none proves nothing.
//   - Of the sessions that AssumeRoot opened only our own are left out, by the id of their key.
//   - An event comes into the history minutes after it happened. That the history shows no sign-in is told as of trailLag ago,
//     so that the next look still counts one that came late.
const (
	sourceTrail = "LookupEvents"
	// AWS allows so many calls per second, account and Region.
	// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html
	trailRate = 2
	// One look in one Region reads no more pages than this: 500 events in five seconds.
	trailPages = 10
	// AWS names about five minutes on average, and guarantees nothing. Twelve times as much costs nothing but that a use is
	// counted for so much longer.
	// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/how-cloudtrail-works.html
	trailLag = time.Hour
)

// trailRegions are the Regions that record a root user's sign-in.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-aws-console-sign-in-events.html
func trailRegions() []string { return []string{"us-east-1", "us-east-2", "us-west-2"} }

var (
	errTooManyEvents = errors.New("the event history holds more events of the root user than one look reads")
	errBadEvent      = errors.New("the event history holds an event that cannot be read")
)

// traces are the latest uses that the event history shows.
type traces struct{ signIn, key posture.Use }

func (t *traces) note(e event, at time.Time, region string) {
	use := posture.Use{At: at, Service: strings.TrimSuffix(text(&e.Source), ".amazonaws.com"), Region: region}
	to := &t.signIn // a console's session, and one that somebody else opened by AssumeRoot
	if strings.HasPrefix(e.Identity.AccessKeyID, "AKIA") {
		to = &t.key
	}
	if use.At.After(to.At) {
		*to = use
	}
}

// event is what is read of one record.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
type event struct {
	Type     string `json:"eventType"`
	Name     string `json:"eventName"`
	Source   string `json:"eventSource"`
	Identity struct {
		Type        string `json:"type"`
		AccessKeyID string `json:"accessKeyId"`
		InvokedBy   string `json:"invokedBy"`
		Session     struct {
			AssumedRoot any `json:"assumedRoot"` // "true", or true
		} `json:"sessionContext"`
	} `json:"userIdentity"`
	Response json.RawMessage `json:"responseElements"`
}

// byRoot reports whether the root user did it itself: no AWS service on its behalf, no session of ours, and no sign-in
// that failed.
func (e event) byRoot(ours func(keyID string) bool) bool {
	switch {
	case e.Identity.Type != "Root", e.Identity.InvokedBy != "", e.Type == "AwsServiceEvent":
		return false
	case fmt.Sprint(e.Identity.Session.AssumedRoot) == "true":
		return !ours(e.Identity.AccessKeyID)
	case e.Name == "ConsoleLogin":
		var answer struct{ ConsoleLogin string }
		return json.Unmarshal(e.Response, &answer) != nil || answer.ConsoleLogin != "Failure"
	default:
		return true
	}
}

// byTrail adds what the event history shows to what the credential report told.
func (l *look) byTrail(ctx context.Context, r *reach) {
	names := []string{"root"}
	if alias := l.e.Account.Alias; alias != "" {
		names = append(names, alias) // an account with an alias may be recorded under it
	}
	var found traces
	for _, region := range trailRegions() {
		pace := rate.NewLimiter(trailRate, trailRate)
		for _, name := range names {
			if err := l.lookUp(ctx, r, &found, pace, region, name); err != nil {
				g := trailGap(err)
				r.cfg.Log.WarnContext(ctx, "event history could not be read", "account", string(l.e.Account.ID), "region", region, "reason", string(g.Reason), "detail", g.Detail)
				l.noTrail(&found, g)
				return
			}
		}
	}
	switch {
	case !l.e.SignIn.Known(), found.signIn.At.After(l.e.SignIn.Value.At):
		l.e.SignIn = posture.Told(found.signIn, sourceTrail, l.now().Add(-trailLag))
	}
	l.addKeyUse(found.key)
}

// noTrail keeps what was seen before the history could not be read any further: a use that is known stays known.
func (l *look) noTrail(found *traces, g posture.Gap) {
	if !l.e.SignIn.Known() {
		l.e.SignIn = posture.Missing[posture.Use](sourceTrail, g)
	} else if found.signIn.At.After(l.e.SignIn.Value.At) {
		l.e.SignIn = posture.Told(found.signIn, sourceTrail, l.e.SignIn.At)
	}
	l.addKeyUse(found.key)
}

// addKeyUse adds the use of a key to a fact that is known. Its age stays that of the report: of other Regions only the
// report tells. Where there is no report the use is told in the gap, because a later one elsewhere may exist.
func (l *look) addKeyUse(use posture.Use) {
	switch was := l.e.KeyUse; {
	case use.At.IsZero():
	case was.Known() && use.At.After(was.Value.At):
		l.e.KeyUse = posture.Told(use, sourceTrail, was.At)
	case !was.Known() && was.Gap != nil:
		g := *was.Gap
		g.Detail = "a root access key was used at " + use.At.Format(time.RFC3339) + " in " + use.Region + "; later uses in other Regions could not be read"
		l.e.KeyUse = posture.Missing[posture.Use](was.Source, g)
	}
}

func trailGap(err error) posture.Gap {
	if errors.Is(err, errTooManyEvents) || errors.Is(err, errBadEvent) {
		return posture.Gap{Reason: posture.ReasonGarbage, Detail: err.Error(), Fix: "Look at the root user's events in CloudTrail."}
	}
	return gapOf(err)
}

// lookUp reads one Region's history, newest first, until both kinds of use are known there.
func (l *look) lookUp(ctx context.Context, r *reach, found *traces, pace *rate.Limiter, region, name string) error {
	c := cloudtrail.NewFromConfig(l.cfg, func(o *cloudtrail.Options) { o.Region = region })
	pages := cloudtrail.NewLookupEventsPaginator(c, &cloudtrail.LookupEventsInput{
		LookupAttributes: []trailtypes.LookupAttribute{{AttributeKey: trailtypes.LookupAttributeKeyUsername, AttributeValue: &name}},
	})
	var here traces
	for n := 0; pages.HasMorePages(); n++ {
		if n == trailPages {
			return errTooManyEvents
		}
		if err := pace.Wait(ctx); err != nil {
			return &unpacedError{cause: err}
		}
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, shown := range page.Events {
			var e event
			if err := json.Unmarshal([]byte(aws.ToString(shown.CloudTrailEvent)), &e); err != nil || shown.EventTime == nil {
				return errBadEvent
			}
			if e.byRoot(r.mints.ours) {
				here.note(e, dated(shown.EventTime), region)
				found.note(e, dated(shown.EventTime), region)
			}
		}
		if !here.signIn.At.IsZero() && !here.key.At.IsZero() {
			return nil
		}
	}
	return nil
}
