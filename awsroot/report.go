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

// credentialReport asks for a report, waits for it a little, and reads the root user's row.
func credentialReport(ctx context.Context, c *iam.Client) (rootRow, error) {
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
	row, err := readReport(string(out.Content))
	row.At = aws.ToTime(out.GeneratedTime).UTC()
	return row, err
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

// readReport finds the root user's row by its name, and its columns by theirs: AWS adds columns.
func readReport(content string) (rootRow, error) {
	rows := csv.NewReader(strings.NewReader(content))
	rows.FieldsPerRecord = -1
	header, err := rows.Read()
	if err != nil {
		return rootRow{}, errNoRootRow
	}
	for {
		record, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return rootRow{}, errNoRootRow
		}
		if err != nil {
			return rootRow{}, err
		}
		row := map[string]string{}
		for i, v := range record {
			if i < len(header) {
				row[header[i]] = v
			}
		}
		if row["user"] == "<root_account>" {
			return rootRow{
				SignIn: posture.Use{At: reportTime(row["password_last_used"])}, MFA: row["mfa_active"] == "true",
				Keys: reportKeys(row), KeyUse: reportUse(row),
			}, nil
		}
	}
}

// reportKeys reads both slots. A key is there when it is active, or when it still has a rotation date: the report keeps
// the date of an inactive one.
func reportKeys(row map[string]string) []posture.Key {
	keys := []posture.Key{}
	for _, slot := range []string{"access_key_1_", "access_key_2_"} {
		created := reportTime(row[slot+"last_rotated"])
		active := strings.EqualFold(row[slot+"active"], "true")
		if !active && created.IsZero() {
			continue
		}
		k := posture.Key{Status: posture.KeyInactive, Created: created, LastUsed: reportTime(row[slot+"last_used_date"])}
		if active {
			k.Status = posture.KeyActive
		}
		if !k.LastUsed.IsZero() {
			k.UsedService, k.UsedRegion = reportText(row[slot+"last_used_service"]), reportText(row[slot+"last_used_region"])
		}
		keys = append(keys, k)
	}
	return keys
}

func reportUse(row map[string]string) posture.Use {
	latest := posture.Use{}
	for _, slot := range []string{"access_key_1_", "access_key_2_"} {
		if at := reportTime(row[slot+"last_used_date"]); at.After(latest.At) {
			latest = posture.Use{At: at, Service: reportText(row[slot+"last_used_service"]), Region: reportText(row[slot+"last_used_region"])}
		}
	}
	return latest
}

// reportTime reads a date, zero for "N/A", "no_information" and "not_supported".
func reportTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

func reportText(s string) string {
	if s == "N/A" || s == "no_information" || s == "not_supported" {
		return ""
	}
	return s
}

// report adds the credential report's facts, with its age, to a look by a read-only role.
func (l *look) report(ctx context.Context) {
	row, err := credentialReport(ctx, l.c)
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
