package awssim

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"
)

// reportAge is how old a credential report may be before a new one is made
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html).
const reportAge = 4 * time.Hour

// report is an account's credential report. It takes one further call to be finished, however the clock stands, so that
// a client has to wait for it and a test with a still clock can.
type report struct {
	pending bool
	ready   bool // the next call finds it finished
	made    time.Time
	content string // empty for none
}

func generateCredentialReport(c *call) ([]element, error) {
	r, now := &c.account.report, c.o.now()
	r.settle(c.o, c.account, now)
	switch {
	case r.pending:
		return []element{text("State", "INPROGRESS")}, nil
	case r.content != "" && now.Before(r.made.Add(reportAge)):
		return []element{text("State", "COMPLETE")}, nil
	}
	r.pending, r.ready, r.content = true, false, ""
	c.effect = true
	return []element{text("State", "STARTED"), text("Description", "No report exists. Starting a new report generation task")}, nil
}

func getCredentialReport(c *call) ([]element, error) {
	r, now := &c.account.report, c.o.now()
	r.settle(c.o, c.account, now)
	switch {
	case r.pending:
		return nil, fail("ReportInProgress", http.StatusNotFound, "Credential report is still being generated.")
	case r.content == "":
		return nil, fail("ReportNotPresent", http.StatusGone, "No report is present. Please generate a report.")
	case !now.Before(r.made.Add(reportAge)):
		return nil, fail("ReportExpired", http.StatusGone, "Credential report has expired. Please generate a new report.")
	}
	return []element{
		text("Content", base64.StdEncoding.EncodeToString([]byte(r.content))),
		text("ReportFormat", "text/csv"),
		moment("GeneratedTime", r.made),
	}, nil
}

// settle finishes a report that has been waited for.
func (r *report) settle(o *Organization, a *account, now time.Time) {
	if r.pending && r.ready {
		r.pending, r.made, r.content = false, now, o.credentialReport(a, now)
	}
	r.ready = r.pending
}

// credentialReport writes the report as AWS does: line feeds, none at the end, and slots in the order of key ids, so
// that an older key may stand in the second slot.
func (o *Organization) credentialReport(a *account, now time.Time) string {
	r := &a.root
	row := []string{
		"<root_account>", a.rootARN(), stamp(a.created, "N/A"),
		word(r.password), "", "", "not_supported", word(len(r.devices) > 0),
	}
	row[4], row[5] = "N/A", "N/A"
	if r.password {
		row[4], row[5] = stamp(r.passwordUsed, "no_information"), stamp(r.passwordChanged, "N/A")
	}
	keys := r.visibleKeys(now)
	slices.SortFunc(keys, func(a, b *key) int { return cmp.Compare(a.id, b.id) })
	for i := range keysPerUser {
		if i >= len(keys) {
			row = append(row, "false", "N/A", "N/A", "N/A", "N/A")
			continue
		}
		k := keys[i]
		row = append(row, word(k.at(now) == statusActive), stamp(k.created, "N/A"),
			stamp(k.used, "N/A"), cmp.Or(k.usedRegion, "N/A"), cmp.Or(k.usedService, "N/A"))
	}
	for i := range 2 {
		if i < len(r.certificates) {
			row = append(row, "true", stamp(r.certificates[i].uploaded, "N/A"))
		} else {
			row = append(row, "false", "N/A")
		}
	}
	lines := []string{strings.Join(reportColumns(), ","), strings.Join(row, ",")}
	if a.user != "" {
		lines = append(lines, a.user+",arn:aws:iam::"+a.id+":user/"+a.user+","+stamp(a.created, "N/A")+
			",true,no_information,"+stamp(a.created, "N/A")+",N/A,true"+strings.Repeat(",false,N/A,N/A,N/A,N/A", keysPerUser)+",false,N/A,false,N/A")
	}
	return strings.Join(lines, "\n")
}

func reportColumns() []string {
	return strings.Split("user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,mfa_active,"+
		"access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service,"+
		"access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,"+
		"cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated", ",")
}

func word(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

func stamp(t time.Time, never string) string {
	if t.IsZero() {
		return never
	}
	return t.Format(time.RFC3339)
}
