package awsroot

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// reportPatience is how long a credential report that is being made is waited for.
const (
	reportPatience = 6 * time.Second
	reportPoll     = 300 * time.Millisecond
)

// rootRow is what the credential report tells of the root user, as of when it was generated: at most four hours ago.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html
type rootRow struct {
	At     time.Time
	Keys   []posture.Key
	SignIn posture.Use
	KeyUse posture.Use
	MFA    bool
}

var errNoRootRow = errors.New("the credential report has no row for the root user")

const (
	errOddReport oddError = "the credential report is not one of AWS's: a column or a value is missing or is not what AWS writes"
	errOddAge    oddError = "the credential report does not say when it was made, or names a time that has not come"
	errOddOwner  oddError = "the credential report is another account's"
)

// clocksApart is by how much this machine's clock may be behind AWS's.
const clocksApart = 15 * time.Minute

// credentialReport asks for a report, waits for it a little, and reads the root user's row.
func credentialReport(ctx context.Context, c *iam.Client, account posture.AccountID, now clock) (rootRow, error) {
	ctx, cancel := context.WithTimeout(ctx, reportPatience)
	defer cancel()
	for {
		made, err := c.GenerateCredentialReport(ctx, &iam.GenerateCredentialReportInput{})
		if err != nil {
			return rootRow{}, err
		}
		if made.State == iamtypes.ReportStateTypeComplete {
			break
		}
		if err := pause(ctx, reportPoll); err != nil {
			return rootRow{}, &iamtypes.CredentialReportNotReadyException{Message: aws.String("the report is still being made")}
		}
	}
	out, err := c.GetCredentialReport(ctx, &iam.GetCredentialReportInput{})
	if err != nil {
		return rootRow{}, err
	}
	row, err := readReport(string(out.Content), account)
	if err != nil {
		return rootRow{}, err
	}
	if row.At = dated(out.GeneratedTime); row.At.IsZero() || row.At.After(now().Add(clocksApart)) {
		return rootRow{}, errOddAge
	}
	return row, nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// readReport finds the root user's row by its name, and its columns by theirs: AWS adds columns. Half a row, a second one or
// a value that AWS does not write is an error, and never "no key" or "never used".
func readReport(content string, account posture.AccountID) (rootRow, error) {
	rows := csv.NewReader(strings.NewReader(content)) // refuses a row that has not as many values as the header
	header, err := rows.Read()
	if err != nil {
		return rootRow{}, errNoRootRow
	}
	var found *reported
	for {
		record, err := rows.Read()
		switch {
		case errors.Is(err, io.EOF) && found == nil:
			return rootRow{}, errNoRootRow
		case errors.Is(err, io.EOF):
			return found.root(account)
		case err != nil:
			return rootRow{}, errOddReport
		}
		row := map[string]string{}
		for i, v := range record {
			row[header[i]] = v
		}
		if row["user"] != "<root_account>" {
			continue
		}
		if found != nil {
			return rootRow{}, errOddReport
		}
		found = &reported{row: row}
	}
}

// reported is one row of the report by its columns. It keeps whether a value was asked for that is not there, or is none
// that AWS writes.
type reported struct {
	row map[string]string
	odd bool
}

func (r *reported) root(account posture.AccountID) (rootRow, error) {
	out := rootRow{SignIn: posture.Use{At: r.time("password_last_used")}, MFA: r.flag("mfa_active"), Keys: []posture.Key{}}
	for _, slot := range []string{"access_key_1_", "access_key_2_"} {
		// A key is there when it is active, or when it still has a rotation date: the report keeps that of an inactive one.
		k := posture.Key{Status: posture.KeyInactive, Created: r.time(slot + "last_rotated"), LastUsed: r.time(slot + "last_used_date")}
		if r.flag(slot + "active") {
			k.Status = posture.KeyActive
		}
		use := posture.Use{At: k.LastUsed, Service: r.text(slot + "last_used_service"), Region: r.text(slot + "last_used_region")}
		if use.At.After(out.KeyUse.At) {
			out.KeyUse = use
		}
		if k.Status == posture.KeyInactive && k.Created.IsZero() {
			continue
		}
		if !k.LastUsed.IsZero() {
			k.UsedService, k.UsedRegion = use.Service, use.Region
		}
		out.Keys = append(out.Keys, k)
	}
	switch {
	case r.odd:
		return rootRow{}, errOddReport
	case !rootOf(account, r.row["arn"]):
		return rootRow{}, errOddOwner
	default:
		return out, nil
	}
}

func (r *reported) value(column string) string {
	v, ok := r.row[column]
	r.odd = r.odd || !ok
	return v
}

// nothing reports whether AWS wrote that there is no value.
func nothing(s string) bool { return s == "N/A" || s == "no_information" || s == "not_supported" }

func (r *reported) text(column string) string {
	if v := r.value(column); !nothing(v) {
		return text(&v)
	}
	return ""
}

func (r *reported) flag(column string) bool {
	v := strings.ToLower(r.value(column))
	r.odd = r.odd || v != "true" && v != "false"
	return v == "true"
}

// time reads a date, zero where AWS wrote that there is none.
func (r *reported) time(column string) time.Time {
	v := r.value(column)
	if nothing(v) {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, v)
	r.odd = r.odd || err != nil
	return dated(&t)
}

// report adds the credential report's facts, with its age, to a look by a read-only role.
func (l *look) report(ctx context.Context) {
	row, err := credentialReport(ctx, l.c, l.e.Account.ID, l.now)
	if err != nil {
		g := gapOf(err)
		if errors.Is(err, errNoRootRow) {
			g = posture.Gap{Reason: posture.ReasonNotOffered, Detail: err.Error(), Fix: posture.ReasonNotOffered.Fix()}
		}
		l.e.Keys, l.e.SignIn = posture.Missing[[]posture.Key](posture.SourceReport, g), posture.Missing[posture.Use](posture.SourceReport, g)
		l.e.KeyUse = posture.Missing[posture.Use](posture.SourceReport, g)
		return
	}
	l.e.Keys = posture.Told(row.Keys, posture.SourceReport, row.At)
	if l.e.AccessKeys.Known() && !l.e.AccessKeys.Value {
		l.e.Keys = posture.Told([]posture.Key{}, posture.SourceSummary, l.now())
	}
	l.e.SignIn, l.e.KeyUse = posture.Told(row.SignIn, posture.SourceReport, row.At), posture.Told(row.KeyUse, posture.SourceReport, row.At)
}
