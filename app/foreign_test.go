package app_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/app"
	"github.com/rootcheck-bot/rootcheck/posture"
)

const (
	ownAccount    = "123456789012"
	memberAccount = "210987654321"
)

// How far an imitation of AWS gets before it answers what AWS does not answer.
const (
	nothing  = "all"     // every call
	listing  = "look"    // it lists its accounts
	sessions = "session" // it lists its accounts and opens root sessions
)

// answers are what may answer in place of AWS.
func answers() map[string]http.HandlerFunc {
	said := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	const html, xml, json = "text/html; charset=utf-8", "text/xml", "application/json"
	failure := func(code string) string {
		return "<ErrorResponse><Error><Type>Sender</Type><Code>" + code + "</Code><Message>no</Message></Error><RequestId>1</RequestId></ErrorResponse>"
	}
	return map[string]http.HandlerFunc{
		"a page of HTML, 500":        said(500, html, "<!doctype html><html lang=en><title>500</title><h1>Internal Server Error</h1></html>"),
		"a page of HTML, 200":        said(200, html, "<!doctype html><html lang=en><title>Sign in</title><h1>Welcome to the proxy</h1><br></html>"),
		"a page of XHTML, 200":       said(200, html, "<html><head/><body><p>Sign in</p></body></html>"),
		"a page of HTML, 407":        said(407, html, "<html><body>Proxy authentication required</body></html>"),
		"nothing, 200":               said(200, xml, ""),
		"nothing, 404":               said(404, xml, ""),
		"JSON, 200":                  said(200, json, `{"Account":"123456789012","status":"ok"}`),
		"JSON, 500":                  said(500, json, `{"message":"internal"}`),
		"a list of JSON, 200":        said(200, json, `[1,2,3]`),
		"truncated XML, 200":         said(200, xml, "<AssumeRootResponse><AssumeRootResult><Credentials><AccessKeyId>ASIA"),
		"XML of something else, 200": said(200, xml, "<note><to>you</to></note>"),
		"an empty result, 200":       said(200, xml, "<R><AssumeRootResult/><GetAccountSummaryResult/></R>"),
		"bytes, 200":                 said(200, "application/octet-stream", "\x00\xff\xfe\x01binary"),
		"a code that nobody knows":   said(403, xml, failure("PaymentRequired")),
		"a code with markup":         said(400, xml, failure("&lt;!channel&gt; =cmd()")),
		"access denied":              said(403, xml, failure("AccessDenied")),
		"a redirect to elsewhere": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(302)
		},
		"a redirect to itself": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", r.URL.Path)
			w.WriteHeader(307)
		},
		"a connection that breaks": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"an answer that breaks off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "900")
			_, _ = io.WriteString(w, "<R>")
		},
		"numbers that are none, 200":  said(200, xml, "<R><GetAccountSummaryResult><SummaryMap><entry><key>AccountPasswordPresent</key><value>no</value></entry></SummaryMap></GetAccountSummaryResult></R>"),
		"numbers that cannot be, 200": said(200, xml, "<R><GetAccountSummaryResult><SummaryMap>"+entries("-1")+"</SummaryMap></GetAccountSummaryResult></R>"),
	}
}

func entries(value string) string {
	var all strings.Builder
	for _, name := range []string{"AccountAccessKeysPresent", "AccountMFAEnabled", "AccountSigningCertificatesPresent", "AccountPasswordPresent"} {
		fmt.Fprintf(&all, "<entry><key>%s</key><value>%s</value></entry>", name, value)
	}
	return all.String()
}

// imitate answers as AWS does as far as it is to get, and then with what answers in place of AWS.
func imitate(far string, instead http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		action := r.Header.Get("X-Amz-Target")
		action = action[strings.LastIndexByte(action, '.')+1:]
		for field := range strings.SplitSeq(string(body), "&") {
			if v, ok := strings.CutPrefix(field, "Action="); ok {
				action = v
			}
		}
		result := map[string]string{
			"GetCallerIdentity":         "<Arn>arn:aws:iam::" + ownAccount + ":user/x</Arn><UserId>AIDA</UserId><Account>" + ownAccount + "</Account>",
			"ListOrganizationsFeatures": "<OrganizationId>o-abcd</OrganizationId><EnabledFeatures><member>RootCredentialsManagement</member></EnabledFeatures>",
			"AssumeRoot":                "<Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration></Credentials>",
		}[action]
		switch {
		case far == nothing, action == "AssumeRoot" && far != sessions, action != "ListAccounts" && result == "":
			instead(w, r)
		case action == "ListAccounts":
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			account := func(id string) string {
				return `{"Id":"` + id + `","Arn":"arn:aws:organizations::` + ownAccount + `:account/o-abcd/` + id + `","Name":"a","State":"ACTIVE"}`
			}
			fmt.Fprintf(w, `{"Accounts":[%s,%s]}`, account(ownAccount), account(memberAccount))
		default:
			fmt.Fprintf(w, `<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>`, action, result)
		}
	}
}

// imitations are the sources of a check, one for each server that is not AWS, with their profiles.
func imitations(t *testing.T) (sources []app.Source, profiles string) {
	t.Helper()
	add := func(name, endpoint string) {
		sources = append(sources, app.Source{Name: name, Organization: &app.Organization{Profile: name}})
		profiles += "[profile " + name + "]\nendpoint_url = " + endpoint + "\nregion = us-east-1\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = s\n"
	}
	serve := func(name string, h http.HandlerFunc) {
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		add(name, server.URL)
	}
	for name, instead := range answers() {
		for _, far := range []string{nothing, listing, sessions} {
			serve(strings.NewReplacer(" ", "-", ",", "").Replace(name)+"-"+far, imitate(far, instead))
		}
	}
	secure := httptest.NewUnstartedServer(imitate(sessions, answers()["nothing, 200"]))
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // each client hangs up, as it should
	secure.StartTLS()
	t.Cleanup(secure.Close)
	add("a-certificate-that-nobody-signed-"+nothing, secure.URL)
	closed, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	add("a-port-that-is-shut-"+nothing, "http://"+closed.Addr().String())
	_ = closed.Close()
	if !testing.Short() {
		serve("no-answer-for-long-"+sessions, imitate(sessions, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	}
	return sources, profiles
}

// TestNothingThatIsNotAWSMakesAnythingPass checks many organizations at once, each behind a server that is not AWS.
func TestNothingThatIsNotAWSMakesAnythingPass(t *testing.T) {
	sources, profiles := imitations(t)
	settings := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(settings, []byte(profiles), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": settings, "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ENDPOINT_URL": "", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "", "AWS_CA_BUNDLE": "",
	} {
		t.Setenv(name, value)
	}
	c := app.DefaultConfig()
	c.AWS = sources
	found, err := app.Check(t.Context(), c, app.CheckOptions{Now: time.Now, Version: "test", Pauses: []time.Duration{}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = found.Rows.Close() }()
	if found.Status() != app.SomeUnread || found.Run.Scanned != 0 {
		t.Errorf("status %d, %d of %d accounts scanned", found.Status(), found.Run.Scanned, found.Run.Total())
	}
	unlisted, rows := map[string]posture.Gap{}, map[string]int{}
	for _, g := range found.Gaps {
		unlisted[g.Source] = g.Gap
	}
	for row, failed := range found.Rows.All() {
		if failed != nil {
			t.Fatal(failed)
		}
		rows[row.Source]++
		if row.Scanned {
			t.Errorf("%s: account %s counts as scanned", row.Source, row.ID)
		}
		for _, f := range row.Findings {
			told := f.Control == posture.CentralizedRootAccess && f.Status == posture.Passed // the imitation said so, as AWS does
			if f.Status != posture.NotAvailable && f.Status != posture.NotApplicable && !told {
				t.Errorf("%s: %s of %s is %s: %s", row.Source, f.Control, row.ID, f.Status, f.Reason)
			}
			unknownCode := strings.HasPrefix(row.Source, "a-code-")
			if f.Status == posture.NotAvailable && (f.Gap == nil || f.Gap.Reason == posture.ReasonUnknown && !unknownCode || f.Gap.Fix == "") {
				t.Errorf("%s: %s of %s could not be told for no reason, or without a fix: %+v", row.Source, f.Control, row.ID, f.Gap)
			}
		}
	}
	for _, s := range sources {
		g, broken := unlisted[s.Name]
		switch {
		case strings.HasSuffix(s.Name, "-"+nothing) && (!broken || rows[s.Name] > 0 || g.Fix == ""):
			t.Errorf("%s: %d accounts, and the gap is %+v", s.Name, rows[s.Name], g)
		case !strings.HasSuffix(s.Name, "-"+nothing) && (broken || rows[s.Name] != 2):
			t.Errorf("%s: %d accounts in the report, want 2, and the gap is %+v", s.Name, rows[s.Name], g)
		}
		for end, want := range map[string]string{"nobody-signed-all": "certificate is not trusted", "is-shut-all": "refused the connection"} {
			if strings.HasSuffix(s.Name, end) && (!strings.Contains(g.Detail, want) || g.Fix == posture.ReasonNoAnswer.Fix()) {
				t.Errorf("%s: %q with the fix %q", s.Name, g.Detail, g.Fix)
			}
		}
	}
}

// TestACheckOfNothingButAServerThatIsNotAWSSaysSo wants an error where no account at all was listed.
func TestACheckOfNothingButAServerThatIsNotAWSSaysSo(t *testing.T) {
	server := httptest.NewServer(answers()["a page of HTML, 200"])
	defer server.Close()
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	for name, s := range map[string]app.Source{
		"an organization": {Name: "acme", Organization: &app.Organization{}}, "an account": {Name: "acme", Account: &app.Account{}},
	} {
		c := app.DefaultConfig()
		c.AWS = []app.Source{s}
		found, err := app.Check(t.Context(), c, app.CheckOptions{Now: time.Now, Version: "test", Pauses: []time.Duration{}})
		if e, ok := errors.AsType[*app.NoAccountsError](err); !ok || len(e.Gaps) != 1 || e.Gaps[0].Gap.Reason != posture.ReasonGarbage {
			t.Errorf("%s: %v", name, err)
		}
		if found == nil || found.Status() != app.SomeUnread {
			t.Errorf("%s: %+v", name, found)
		}
		_ = found.Rows.Close()
	}
}
