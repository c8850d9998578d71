package awssim

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"golang.org/x/time/rate"
)

// What CloudTrail's LookupEvents keeps to
// (https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html).
const (
	lookupRate  = 2  // calls per second, account and region
	eventsShown = 50 // on one page
	eventAge    = 90 * 24 * time.Hour
)

// eventsKept is how many events an account remembers; more would only cost memory in a large organization.
const eventsKept = 200

// event is what CloudTrail recorded of a root user, or of a call of AssumeRoot.
type event struct {
	id, name, source, region string
	at                       time.Time
	username, keyID          string
	readOnly                 bool
	record                   string // the event as CloudTrail's JSON
}

// trace records what a trail would: every call that a root user signed, and every session of one that was minted.
func (o *Organization) trace(c *call, now time.Time, err error) {
	if c.principal == nil || !c.isRoot() && c.action != "AssumeRoot" {
		return
	}
	identity := map[string]any{"type": "Root", "principalId": c.account.id, "arn": c.arn(), "accountId": c.account.id, "accessKeyId": c.keyID}
	username := "root"
	if !c.isRoot() {
		identity["type"], username = "AssumedRole", c.session
		if c.kind == userKey {
			identity["type"], username = "IAMUser", c.name
		}
	}
	if c.kind == rootSession {
		identity["sessionContext"] = map[string]any{"assumedRoot": "true", "attributes": map[string]any{"creationDate": now.Format(time.RFC3339), "mfaAuthenticated": "false"}}
	}
	record := map[string]any{
		"eventType": "AwsApiCall", "eventSource": c.service + ".amazonaws.com", "eventName": c.action,
		"requestID": c.id, "sourceIPAddress": "192.0.2.10", "userIdentity": identity,
	}
	if err != nil {
		record["errorCode"], record["errorMessage"] = asFailure(err).code, asFailure(err).message
	}
	region := c.credential.region
	if c.service == serviceIAM {
		region = "us-east-1"
	}
	o.record(c.account, event{name: c.action, source: c.service + ".amazonaws.com", region: region, at: now, username: username, keyID: c.keyID, readOnly: !c.effect}, record)
}

// record completes an event and keeps it.
func (o *Organization) record(a *account, e event, record map[string]any) {
	o.requests++
	e.id = fmt.Sprintf("%08x-%04x-4%03x-9%03x-%012x", uint32(e.at.Unix()), len(a.trail)&0xffff, 0, 0, o.requests) //nolint:gosec // an id, not a number
	record["eventVersion"], record["eventID"], record["eventTime"] = "1.11", e.id, e.at.Format(time.RFC3339)
	record["awsRegion"], record["recipientAccountId"], record["readOnly"] = e.region, a.id, e.readOnly
	b, err := json.Marshal(record)
	if err != nil {
		o.log.Error("write a trail event", "error", err)
		return
	}
	e.record = string(b)
	a.trail = append(a.trail, e)
	if len(a.trail) > eventsKept {
		a.trail = slices.Delete(a.trail, 0, len(a.trail)-eventsKept)
	}
}

// recordSignIn records a root user's sign-in to the console in the Region that took it.
func (o *Organization) recordSignIn(a *account, region string, mfa bool) {
	used := map[bool]string{true: "Yes", false: "No"}[mfa]
	extra := map[string]any{"LoginTo": "https://console.aws.amazon.com/", "MobileVersion": "No", "MFAUsed": used}
	if mfa && len(a.root.devices) > 0 {
		extra["MFAIdentifier"] = a.root.devices[0].serial
	}
	o.record(a, event{name: "ConsoleLogin", source: "signin.amazonaws.com", region: region, at: o.now(), username: "root"}, map[string]any{
		"eventType": "AwsConsoleSignIn", "eventSource": "signin.amazonaws.com", "eventName": "ConsoleLogin", "sourceIPAddress": "192.0.2.20",
		"userIdentity":        map[string]any{"type": "Root", "principalId": a.id, "arn": a.rootARN(), "accountId": a.id, "accessKeyId": ""},
		"additionalEventData": extra, "responseElements": map[string]any{"ConsoleLogin": "Success"},
	})
}

// lookupEvents shows the events of the caller's account in the Region that the call is signed for, newest first.
func lookupEvents(c *call) (fields, error) {
	region, id := c.credential.region, c.account.id
	limiter, ok := c.o.lookups[id+"/"+region]
	if !ok {
		limiter = rate.NewLimiter(lookupRate, lookupRate)
		c.o.lookups[id+"/"+region] = limiter
	}
	if !limiter.Allow() {
		return nil, errThrottled()
	}
	matches, err := lookupFilter(c)
	if err != nil {
		return nil, err
	}
	var found []event
	for _, e := range slices.Backward(c.account.trail) {
		if e.region == region && matches(e) {
			found = append(found, e)
		}
	}
	size, ok := c.number("MaxResults", eventsShown)
	if !ok || size < 1 || size > eventsShown {
		return nil, fail("InvalidMaxResultsException", 400, "A value for maxResults must be between 1 and %d.", eventsShown)
	}
	events, next, ok := page(found, c.str("NextToken"), size)
	if !ok {
		return nil, fail("InvalidNextTokenException", 400, "Invalid token.")
	}
	shown := make([]fields, 0, len(events))
	for _, e := range events {
		f := fields{
			"EventId": e.id, "EventName": e.name, "EventSource": e.source, "EventTime": epoch(e.at), "Username": e.username,
			"ReadOnly": word(e.readOnly), "Resources": []any{}, "CloudTrailEvent": e.record,
		}
		if e.keyID != "" {
			f["AccessKeyId"] = e.keyID
		}
		shown = append(shown, f)
	}
	result := fields{"Events": shown}
	if next != "" {
		result["NextToken"] = next
	}
	return result, nil
}

// lookupFilter reads the time window and the one attribute that a look-up may have.
func lookupFilter(c *call) (func(event) bool, error) {
	now := c.o.now()
	from, to := now.Add(-eventAge), now
	if n, ok := c.input["StartTime"].(float64); ok {
		from = time.UnixMilli(int64(n * 1000))
	}
	if n, ok := c.input["EndTime"].(float64); ok {
		to = time.UnixMilli(int64(n * 1000))
	}
	if to.Before(from) {
		return nil, fail("InvalidTimeRangeException", 400, "Occurs if the timestamp values are not valid.")
	}
	attributes, _ := c.input["LookupAttributes"].([]any)
	if len(attributes) > 1 {
		return nil, fail("InvalidLookupAttributesException", 400, "You can only specify one lookup attribute.")
	}
	key, value := "", ""
	if len(attributes) == 1 {
		m, _ := attributes[0].(map[string]any)
		key, _ = m["AttributeKey"].(string)
		value, _ = m["AttributeValue"].(string)
	}
	pick, known := map[string]func(event) string{
		"": func(event) string { return "" }, "Username": func(e event) string { return e.username },
		"EventName": func(e event) string { return e.name }, "EventSource": func(e event) string { return e.source },
		"AccessKeyId": func(e event) string { return e.keyID }, "EventId": func(e event) string { return e.id },
		"ReadOnly": func(e event) string { return word(e.readOnly) },
	}[key]
	if !known {
		return nil, fail("InvalidLookupAttributesException", 400, "Invalid lookup attribute: %s", key)
	}
	return func(e event) bool {
		return pick(e) == value && !e.at.Before(from.UTC().Truncate(time.Second)) && !e.at.After(to.UTC())
	}, nil
}
