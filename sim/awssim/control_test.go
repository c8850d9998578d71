package awssim_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

// order sends an order, or a question when the body is empty, and reads the answer into a value.
func (r *rig) order(t *testing.T, method, path, body string, into any) int {
	t.Helper()
	req := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), method, r.url+"/control/aws/"+path, strings.NewReader(body)))
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	status, _, b := do(t, req)
	if into != nil {
		if err := json.Unmarshal([]byte(b), into); err != nil {
			t.Fatalf("%s %s answered %s: %v", method, path, b, err)
		}
	}
	return status
}

// state is the part of the state's shape that others rely on.
type state struct {
	Clock        time.Time
	Organization map[string]any
	Accounts     []struct {
		ID, Name, Email, State string
		Tags                   map[string]string
		Quarantined            bool
		Root                   struct {
			Password     bool
			MFA          []struct{ Serial, Kind string }
			Keys         []struct{ ID, Status, Created, LastUsed string }
			Certificates []string
		}
	}
	Total int
	Next  *int
}

func TestStateIsShownWholeOrInPages(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *awssim.Config) { c.Accounts = 100 })
	var whole, page, one state
	r.order(t, "GET", "state", "", &whole)
	r.order(t, "GET", "state?limit=40&offset=80", "", &page)
	r.order(t, "GET", "state?account="+awssim.DataAccount, "", &one)
	if len(whole.Accounts) != 101 || whole.Next != nil || whole.Total != 101 || !whole.Clock.Equal(r.clock.Now().Truncate(time.Second)) {
		t.Errorf("the whole state has %d accounts of %d, next %v, clock %v", len(whole.Accounts), whole.Total, whole.Next, whole.Clock)
	}
	if len(page.Accounts) != 21 || page.Next != nil || page.Accounts[20].ID != awssim.LabAccount {
		t.Errorf("the last page has %d accounts", len(page.Accounts))
	}
	a := one.Accounts[0]
	if a.Name != "acme-data" || a.State != "ACTIVE" || len(a.Root.Keys) != 2 || a.Root.Keys[0].Status != "Active" || a.Root.MFA[0].Kind != "hardware" {
		t.Errorf("acme-data is %+v", a)
	}
	if status := r.order(t, "GET", "state?limit=x", "", nil); status != http.StatusBadRequest {
		t.Errorf("a limit that is no number: %d", status)
	}
}

func TestOrders(t *testing.T) {
	t.Parallel()
	const payments, data, marketing = `"account":"` + awssim.PaymentsAccount + `"`, `"account":"` + awssim.DataAccount + `"`, `"account":"` + awssim.MarketingAccount + `"`
	for _, tt := range []struct {
		name, path, body string
		status           int
		has              string // in the answer
	}{
		{"a key is used", "use-key", `{"key_id":"` + awssim.LabOtherAccessKeyID + `"}`, 200, `"denied":false`},
		{"an unknown key is not", "use-key", `{"key_id":"AKIA"}`, 400, `"error"`},
		{"a key is created", "key", `{` + payments + `,"do":"create"}`, 200, `"status":"Active"`},
		{"a third one is not", "key", `{` + data + `,"do":"create"}`, 400, `"error"`},
		{"a key is deactivated", "key", `{"account":"` + awssim.LabAccount + `","key_id":"` + awssim.LabAccessKeyID + `","do":"deactivate"}`, 200, `"status":"Inactive"`},
		{"a key is deleted", "key", `{"account":"` + awssim.LabAccount + `","key_id":"` + awssim.LabAccessKeyID + `","do":"delete"}`, 200, `"status":"Deleted"`},
		{"another account's key is not", "key", `{` + payments + `,"key_id":"` + awssim.LabAccessKeyID + `","do":"delete"}`, 400, `"error"`},
		{"a device is added", "mfa", `{` + marketing + `,"kind":"virtual","do":"add"}`, 200, `"kind":"virtual"`},
		{"a device is removed", "mfa", `{` + payments + `,"kind":"virtual","do":"remove"}`, 200, `"kind":"virtual"`},
		{"what is not there is not removed", "mfa", `{` + payments + `,"kind":"passkey","do":"remove"}`, 400, `"error"`},
		{"a fault is ordered", "fault", `{"action":"AssumeRoot","kind":"throttle","for":"30s"}`, 200, `"until"`},
		{"an unknown fault is not", "fault", `{"kind":"flood"}`, 400, `"error"`},
		{"nor one for no time", "fault", `{"kind":"deny","for":"soon"}`, 400, `"error"`},
		{"a root user signs in", "sign-in", `{` + payments + `}`, 200, `"blocked":false`},
		{"a tag is set", "tag", `{` + payments + `,"key":"owner","value":"U123"}`, 200, `"owner":"U123"`},
		{"a contact is set", "contact", `{` + payments + `,"type":"SECURITY","email":"x@example.com"}`, 200, `"SECURITY":"x@example.com"`},
		{"an account is renamed", "account", `{` + payments + `,"name":"<!channel>"}`, 200, `channel`},
		{"a password is removed", "password", `{` + payments + `,"do":"remove"}`, 200, `"password":false`},
		{"a certificate is added", "certificate", `{` + payments + `,"do":"add"}`, 200, `"certificates":["CERT`},
		{"a policy is attached", "policy", `{` + payments + `,"policy_id":"p-quarantine","do":"attach"}`, 200, `p-quarantine`},
		{"a policy is rewritten", "policy", `{"policy_id":"p-quarantine","do":"write","content":"{\"Statement\":{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\"}}"}`, 200, `Deny`},
		{"an account joins", "account", `{"account":"300000000001","do":"join","name":"new"}`, 200, `"member":true`},
		{"one that is there does not", "account", `{` + payments + `,"do":"join"}`, 400, `"error"`},
		{"an account leaves", "account", `{` + payments + `,"do":"leave"}`, 200, `"member":false`},
		{"the management account does not", "account", `{"account":"111111111111","do":"leave"}`, 400, `"error"`},
		{"a feature is switched off", "feature", `{"feature":"RootSessions","enabled":false}`, 200, `"enabled":false`},
		{"an account that is not there", "sign-in", `{"account":"000000000000"}`, 400, `"error"`},
		{"an order that is not there", "explode", `{}`, 404, `"error"`},
		{"a body that is no JSON", "key", `{`, 400, `"error"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			var answer json.RawMessage
			if status := r.order(t, "POST", tt.path, tt.body, &answer); status != tt.status || !strings.Contains(string(answer), tt.has) {
				t.Errorf("%d %s, want %d with %s", status, answer, tt.status, tt.has)
			}
		})
	}
}

func TestOnlyThisMachinesPagesAndScriptsGiveOrders(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, tt := range []struct {
		name, host, origin, contentType string
		status                          int
	}{
		{"a script", "", "", "application/json", 200},
		{"a script with a charset", "", "", "application/json; charset=utf-8", 200},
		{"the page itself", "", r.url, "application/json", 200},
		{"a page elsewhere", "", "https://evil.example", "application/json", 403},
		{"a page on another port", "", "http://127.0.0.1:1", "application/json", 403},
		{"a sandboxed page", "", "null", "application/json", 403},
		{"a name that was rebound to this machine", "evil.example", "", "application/json", 403},
		{"a form", "", "", "text/plain", 415},
		{"a body of no type", "", "", "", 415},
	} {
		req := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/control/aws/sign-in", strings.NewReader(`{"account":"`+awssim.DataAccount+`"}`)))
		req.Host = tt.host
		for name, value := range map[string]string{"Origin": tt.origin, "Content-Type": tt.contentType} {
			if value != "" {
				req.Header.Set(name, value)
			}
		}
		if status, _, _ := do(t, req); status != tt.status {
			t.Errorf("%s: status %d, want %d", tt.name, status, tt.status)
		}
	}
}

func TestTheLogOfCallsIsReadAndEmptied(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	if _, err := r.assumeRoot(t, awssim.PaymentsAccount, "IAMAuditRootUserCredentials"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.assumeRoot(t, awssim.ClinicAccount, "IAMAuditRootUserCredentials"); err == nil {
		t.Fatal("an account that denies access let somebody in")
	}
	attach, _ := quarantine(awssim.PaymentsAccount)
	if _, err := r.orgs().AttachPolicy(t.Context(), attach); err != nil {
		t.Fatal(err)
	}
	type call struct {
		At                                           time.Time
		Principal, Account, Service, Action, Outcome string
		Effect                                       bool
	}
	var calls, effects []call
	var counts []struct {
		Action, Outcome string
		Calls           int
	}
	r.order(t, "GET", "calls", "", &calls)
	r.order(t, "GET", "calls?effect=true", "", &effects)
	r.order(t, "GET", "counts", "", &counts)
	if len(calls) != 3 || calls[0].Outcome != "ok" || calls[1].Outcome != "AccessDenied" || calls[1].Account != awssim.ClinicAccount ||
		calls[0].Service != "sts" || calls[0].Effect || calls[0].Principal == "" || calls[0].At.IsZero() {
		t.Errorf("calls are %+v", calls)
	}
	if len(effects) != 1 || effects[0].Action != "AttachPolicy" || effects[0].Account != awssim.PaymentsAccount || len(counts) != 3 {
		t.Errorf("effects are %+v, counts %+v", effects, counts)
	}
	r.order(t, "DELETE", "calls", "", nil)
	r.order(t, "GET", "calls", "", &calls)
	if len(calls) != 0 || len(r.Effects()) != 0 || len(r.Counts()) != 0 {
		t.Errorf("after emptying: %+v", calls)
	}
}

func TestAnAnswersDateIsTheInjectedClock(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.clock.Advance(-8 * 24 * time.Hour)
	req := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/aws/", http.NoBody))
	_, header, _ := do(t, req)
	if at := must[time.Time](t)(http.ParseTime(header.Get("Date"))); !at.Equal(r.clock.Now().UTC().Truncate(time.Second)) {
		t.Errorf("Date is %v, the clock says %v", at, r.clock.Now())
	}
	if header.Get("X-Amzn-Requestid") == "" {
		t.Error("an answer has no request id")
	}
}
