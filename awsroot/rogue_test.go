package awsroot_test

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/awsroot"
	"github.com/rootcheck-bot/rootcheck/posture"
	"github.com/rootcheck-bot/rootcheck/remediation"
)

// rogue is an organization of two accounts that answers everything as AWS does, apart from the calls that a test lets
// it answer otherwise. Its member has a password, a key and a device.
type rogue struct {
	instead map[string]func(w http.ResponseWriter, n int, form url.Values) // n counts the calls of this action from 1

	mu    sync.Mutex
	calls map[string]int
}

const rogueNow = "2026-03-02T09:00:00Z"

func rogueTime() time.Time {
	at, _ := time.Parse(time.RFC3339, rogueNow)
	return at
}

const (
	rogueKey    = "<AccessKeyMetadata><member><AccessKeyId>AKIAIOSFODNN7EXAMPLE</AccessKeyId><Status>Active</Status><CreateDate>2024-01-01T00:00:00Z</CreateDate></member></AccessKeyMetadata>"
	rogueDevice = "<MFADevices><member><SerialNumber>arn:aws:iam::" + foreignMember + ":u2f/root-account/a</SerialNumber><EnableDate>2024-01-01T00:00:00Z</EnableDate></member></MFADevices>"
	rogueRow    = "<root_account>,arn:aws:iam::" + foreignManagement + ":root,2020-01-01T00:00:00+00:00,true,2026-01-01T00:00:00+00:00,true,false,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A"
	rogueHeader = "user,arn,user_creation_time,password_enabled,password_last_used,mfa_active," +
		"access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service," +
		"access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service\n"
)

func flagged(keys, mfa, certificates, password string) string {
	return "<SummaryMap>" + flag("AccountAccessKeysPresent", keys) + flag("AccountMFAEnabled", mfa) +
		flag("AccountSigningCertificatesPresent", certificates) + flag("AccountPasswordPresent", password) + "</SummaryMap>"
}

func flag(name, value string) string {
	return "<entry><key>" + name + "</key><value>" + value + "</value></entry>"
}

func reported(content, generated string) string {
	return "<Content>" + base64.StdEncoding.EncodeToString([]byte(content)) + "</Content><ReportFormat>text/csv</ReportFormat><GeneratedTime>" + generated + "</GeneratedTime>"
}

func rogueAccount(id, name string) string {
	quoted, _ := json.Marshal(name)
	return `{"Id":"` + id + `","Arn":"arn:aws:organizations::` + foreignManagement + `:account/o-abcd/` + id + `","Name":` + string(quoted) + `,"State":"ACTIVE"}`
}

// answer writes one result of IAM or STS.
func answer(w io.Writer, action, result string) {
	fmt.Fprintf(w, `<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></%[1]sResponse>`, action, result)
}

// says answers an action with a result.
func says(action, result string) map[string]func(http.ResponseWriter, int, url.Values) {
	return map[string]func(http.ResponseWriter, int, url.Values){
		action: func(w http.ResponseWriter, _ int, _ url.Values) { answer(w, action, result) },
	}
}

func (s *rogue) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	action := r.Header.Get("X-Amz-Target")
	if action = action[strings.LastIndexByte(action, '.')+1:]; action == "" {
		action = form.Get("Action")
	} else {
		var fields map[string]any
		_ = json.Unmarshal(body, &fields)
		form = url.Values{}
		for k, v := range fields {
			form.Set(k, fmt.Sprint(v))
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	}
	s.mu.Lock()
	s.calls[action]++
	n := s.calls[action]
	s.mu.Unlock()
	if instead, ok := s.instead[action]; ok {
		instead(w, n, form)
		return
	}
	switch action {
	case "GetCallerIdentity":
		answer(w, action, "<Arn>arn:aws:iam::"+foreignManagement+":user/x</Arn><UserId>AIDA</UserId><Account>"+foreignManagement+"</Account>")
	case "ListOrganizationsFeatures":
		answer(w, action, "<OrganizationId>o-abcd</OrganizationId><EnabledFeatures><member>RootCredentialsManagement</member></EnabledFeatures>")
	case "ListAccounts":
		fmt.Fprintf(w, `{"Accounts":[%s,%s]}`, rogueAccount(foreignManagement, "a"), rogueAccount(foreignMember, "b"))
	case "AssumeRoot":
		answer(w, action, "<Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration></Credentials>")
	case "GetAccountSummary":
		answer(w, action, flagged("1", "1", "0", "1"))
	case "ListAccessKeys":
		answer(w, action, rogueKey)
	case "GetAccessKeyLastUsed":
		answer(w, action, "<AccessKeyLastUsed><Region>N/A</Region><ServiceName>N/A</ServiceName></AccessKeyLastUsed>")
	case "ListMFADevices":
		answer(w, action, rogueDevice)
	case "GetUser":
		answer(w, action, "<User><Arn>arn:aws:iam::"+foreignMember+":root</Arn><UserId>1</UserId><CreateDate>2020-01-01T00:00:00Z</CreateDate></User>")
	case "GenerateCredentialReport":
		answer(w, action, "<State>COMPLETE</State>")
	case "GetCredentialReport":
		answer(w, action, reported(rogueHeader+rogueRow, rogueNow))
	case "ListVirtualMFADevices":
		answer(w, action, "<VirtualMFADevices/><IsTruncated>false</IsTruncated>")
	case "ListAccountAliases":
		answer(w, action, "<AccountAliases/><IsTruncated>false</IsTruncated>")
	default:
		w.WriteHeader(http.StatusInternalServerError)
	}
}

func (s *rogue) count(action string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[action]
}

// newRogue points the real edge at the rogue: as an organization, "acme", and as a single account, "one".
func newRogue(t *testing.T, instead map[string]func(http.ResponseWriter, int, url.Values)) (*rogue, *awsroot.Auditor) {
	t.Helper()
	s := &rogue{instead: instead, calls: map[string]int{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	setAWS(t, server.URL)
	auditor, _, err := awsroot.New(t.Context(), awsroot.Config{
		Sources: []awsroot.Source{{Name: "acme", Organization: &awsroot.Organization{Tags: true}}, {Name: "one", Account: &awsroot.Account{}}},
		Now:     rogueTime, Version: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, auditor
}

// member looks into the rogue's member by a root session.
func member(t *testing.T, auditor *awsroot.Auditor) posture.Evidence {
	t.Helper()
	return lookAt(t, auditor, "acme", foreignMember)
}

// alone looks into the rogue's own account as an ordinary identity does.
func alone(t *testing.T, auditor *awsroot.Auditor) posture.Evidence {
	t.Helper()
	return lookAt(t, auditor, "one", foreignManagement)
}

func lookAt(t *testing.T, auditor *awsroot.Auditor, source string, id posture.AccountID) posture.Evidence {
	t.Helper()
	var wanted posture.Account
	if _, err := auditor.Inventory(t.Context(), source, func(a posture.Account) error {
		if a.ID == id {
			wanted = a
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return auditor.Inspect(t.Context(), wanted)
}

func judged(e posture.Evidence) map[posture.Control]posture.Finding {
	all := map[posture.Control]posture.Finding{}
	for _, f := range posture.Evaluate(e, posture.Policy{}, rogueTime()) {
		all[f.Control] = f
	}
	return all
}

func TestTheRogueIsSoundWhereNothingIsAnsweredOtherwise(t *testing.T) {
	_, auditor := newRogue(t, nil)
	all := judged(member(t, auditor))
	for control, want := range map[posture.Control]posture.Status{
		posture.RootAccessKey: posture.Failed, posture.RootMFA: posture.Passed, posture.RootHardwareMFA: posture.Passed, posture.RootActivity: posture.Passed,
	} {
		if all[control].Status != want {
			t.Errorf("%s of the member is %s: %s", control, all[control].Status, all[control].Reason)
		}
	}
	if f := judged(alone(t, auditor))[posture.RootActivity]; f.Status != posture.Passed {
		t.Errorf("activity in the account is %s: %s", f.Status, f.Reason)
	}
}

func TestAFlagWithoutANumberIsNoZero(t *testing.T) {
	for name, summary := range map[string]string{
		"an empty value":            flagged("", "1", "0", "1"),
		"no value at all":           strings.Replace(flagged("x", "1", "0", "1"), "<value>x</value>", "", 1),
		"a value beyond 32 bits":    flagged("4294967296", "1", "0", "1"),
		"a value far below":         flagged("-4294967296", "1", "0", "1"),
		"the flags told twice":      flagged("1", "1", "0", "1") + flagged("0", "1", "0", "1"),
		"a flag that is told twice": strings.Replace(flagged("1", "1", "0", "1"), "</SummaryMap>", flag("AccountAccessKeysPresent", "0")+"</SummaryMap>", 1),
	} {
		t.Run(name, func(t *testing.T) {
			_, auditor := newRogue(t, says("GetAccountSummary", summary))
			if f := judged(member(t, auditor))[posture.RootAccessKey]; f.Status == posture.Passed {
				t.Errorf("it passes: %s", f.Reason)
			}
		})
	}
}

func TestPagesWithoutEndAreGivenUp(t *testing.T) {
	endless := func(action, page string) func(http.ResponseWriter, int, url.Values) {
		return func(w http.ResponseWriter, n int, _ url.Values) {
			answer(w, action, page+"<IsTruncated>true</IsTruncated><Marker>m"+strconv.Itoa(n)+"</Marker>")
		}
	}
	for action, page := range map[string]string{
		"ListAccessKeys": "<AccessKeyMetadata/>", "ListMFADevices": "<MFADevices/>", "ListSigningCertificates": "<Certificates/>",
	} {
		t.Run(action, func(t *testing.T) {
			s, auditor := newRogue(t, map[string]func(http.ResponseWriter, int, url.Values){
				action: endless(action, page),
				"GetAccountSummary": func(w http.ResponseWriter, _ int, _ url.Values) {
					answer(w, "GetAccountSummary", flagged("1", "1", "1", "1"))
				},
			})
			ended := make(chan posture.Evidence, 1)
			go func() { ended <- member(t, auditor) }()
			select {
			case e := <-ended:
				if action == "ListMFADevices" && (e.Devices.Known() || e.Devices.Gap.Reason != posture.ReasonGarbage || !strings.Contains(e.Devices.Gap.Detail, "do not end")) {
					t.Errorf("the devices are %+v", e.Devices)
				}
			case <-time.After(20 * time.Second):
				t.Errorf("after %d pages it still reads", s.count(action))
			}
		})
	}
}

func TestUnitsWithoutEndAreGivenUp(t *testing.T) {
	s, auditor := newRogue(t, map[string]func(http.ResponseWriter, int, url.Values){
		"ListAccounts": func(w http.ResponseWriter, _ int, _ url.Values) {
			fmt.Fprintf(w, `{"Accounts":[%s]}`, strings.Replace(rogueAccount(foreignMember, "b"), `"Name"`, `"Paths":["o-abcd/r-abcd/`+foreignMember+`/"],"Name"`, 1))
		},
		"ListTagsForResource": func(w http.ResponseWriter, n int, _ url.Values) {
			tags := make([]string, 0, 20)
			for i := range 20 {
				tags = append(tags, fmt.Sprintf(`{"Key":"k%d-%d","Value":"v"}`, n, i))
			}
			fmt.Fprintf(w, `{"Tags":[%s],"NextToken":"t%d"}`, strings.Join(tags, ","), n)
		},
		"ListOrganizationalUnitsForParent": func(w http.ResponseWriter, n int, _ url.Values) {
			units := make([]string, 0, 1000)
			for i := range 1000 {
				units = append(units, fmt.Sprintf(`{"Id":"ou-abcd-%d-%d","Name":"x"}`, n, i))
			}
			fmt.Fprintf(w, `{"OrganizationalUnits":[%s]}`, strings.Join(units, ","))
		},
	})
	member(t, auditor)
	for action, learn := range map[string]func() error{
		"ListOrganizationalUnitsForParent": func() error { return auditor.LearnUnits(t.Context(), "acme") },
		"ListTagsForResource":              func() error { return auditor.LearnTags(t.Context(), "acme") },
	} {
		ended := make(chan error, 1)
		go func() { ended <- learn() }()
		select {
		case err := <-ended:
			if err == nil || !strings.Contains(err.Error(), "do not end") {
				t.Errorf("%s: the error is %v", action, err)
			}
		case <-time.After(30 * time.Second):
			t.Errorf("%s: after %d calls it still reads", action, s.count(action))
		}
	}
}

func TestAnAnswerOfAnyLengthTakesLittleMemory(t *testing.T) {
	const sent = 200 << 20
	var mu sync.Mutex
	took := 0
	flood := func(w io.Writer) {
		chunk := strings.Repeat(flag("AccountQuota", "1"), 20_000)
		for n := 0; n < sent; n += len(chunk) {
			if _, err := io.WriteString(w, chunk); err != nil {
				return
			}
			mu.Lock()
			took += len(chunk)
			mu.Unlock()
		}
	}
	for name, send := range map[string]func(http.ResponseWriter){
		"a body without end": func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, "<GetAccountSummaryResponse><GetAccountSummaryResult><SummaryMap>")
			flood(w)
		},
		"a small body that grows a thousandfold": func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, "<GetAccountSummaryResponse><GetAccountSummaryResult><SummaryMap>")
			flood(z)
			_ = z.Close()
		},
		"an error without end": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>")
			flood(w)
		},
	} {
		t.Run(name, func(t *testing.T) {
			mu.Lock()
			took = 0
			mu.Unlock()
			_, auditor := newRogue(t, map[string]func(http.ResponseWriter, int, url.Values){
				"GetAccountSummary": func(w http.ResponseWriter, _ int, _ url.Values) { send(w) },
			})
			e := member(t, auditor)
			if e.AccessKeys.Known() {
				t.Errorf("it was believed: %+v", e.AccessKeys)
			}
			mu.Lock()
			defer mu.Unlock()
			// What was sent before the reader hung up stood in the buffers of the connection.
			if name != "a small body that grows a thousandfold" && took > 60<<20 {
				t.Errorf("%d MB were taken", took>>20)
			}
		})
	}
}

func TestNoCallFollowsARedirect(t *testing.T) {
	s, auditor := newRogue(t, map[string]func(http.ResponseWriter, int, url.Values){
		"GetAccountSummary": func(w http.ResponseWriter, _ int, _ url.Values) {
			w.Header().Set("Location", "/")
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
	})
	e := member(t, auditor)
	if n := s.count("GetAccountSummary"); n > 5 || e.AccessKeys.Known() || e.AccessKeys.Gap.Reason != posture.ReasonGarbage {
		t.Errorf("it was called %d times: %+v", n, e.AccessKeys.Gap)
	}
}

func TestADateThatCannotBeBreaksNothing(t *testing.T) {
	for _, date := range []string{"9999-12-31T23:59:59-23:59", "0000-01-01T00:00:00+23:59", "0001-01-01T00:00:00Z", "2099-01-01T00:00:00Z"} {
		_, auditor := newRogue(t, map[string]func(http.ResponseWriter, int, url.Values){
			"ListAccessKeys": func(w http.ResponseWriter, _ int, _ url.Values) {
				answer(w, "ListAccessKeys", strings.Replace(rogueKey, "2024-01-01T00:00:00Z", date, 1))
			},
			"ListMFADevices": func(w http.ResponseWriter, _ int, _ url.Values) {
				answer(w, "ListMFADevices", strings.Replace(rogueDevice, "2024-01-01T00:00:00Z", date, 1))
			},
			"GetUser": func(w http.ResponseWriter, _ int, _ url.Values) {
				answer(w, "GetUser", "<User><Arn>arn:aws:iam::"+foreignMember+":root</Arn><PasswordLastUsed>"+date+"</PasswordLastUsed></User>")
			},
			"GetAccessKeyLastUsed": func(w http.ResponseWriter, _ int, _ url.Values) {
				answer(w, "GetAccessKeyLastUsed", "<AccessKeyLastUsed><LastUsedDate>"+date+"</LastUsedDate></AccessKeyLastUsed>")
			},
		})
		e := member(t, auditor)
		if _, err := json.Marshal(e); err != nil {
			t.Errorf("%s: the evidence cannot be kept: %v", date, err)
		}
		for _, f := range judged(e) {
			if _, err := json.Marshal(f); err != nil {
				t.Errorf("%s: the finding of %s cannot be kept: %v", date, f.Control, err)
			}
		}
		if f := judged(e)[posture.RootActivity]; strings.HasPrefix(date, "9999") && f.Status != posture.Failed {
			t.Errorf("%s: a use at a time to come is %s", date, f.Status)
		}
		if e.SignIn.Known() && e.SignIn.Value.At.IsZero() {
			t.Errorf("%s: a sign-in counts as none", date)
		}
	}
}

func TestWhatIsToldOfAnotherAccountTellsNothing(t *testing.T) {
	const other = "999999999999"
	_, auditor := newRogue(t, says("GetUser", "<User><Arn>arn:aws:iam::"+other+":root</Arn></User>"))
	if e := member(t, auditor); e.SignIn.Known() {
		t.Errorf("another account's root user tells of the sign-in: %+v", e.SignIn)
	}
	_, auditor = newRogue(t, says("GetAccessKeyLastUsed", ""))
	if e := member(t, auditor); e.KeyUse.Known() {
		t.Errorf("an empty answer tells that the key was never used: %+v", e.KeyUse)
	}
	_, auditor = newRogue(t, says("ListVirtualMFADevices", "<VirtualMFADevices><member><SerialNumber>arn:aws:iam::"+other+
		":mfa/a</SerialNumber><User><Arn>arn:aws:iam::"+other+":root</Arn></User></member></VirtualMFADevices>"))
	if e := alone(t, auditor); len(e.Devices.Value) > 0 {
		t.Errorf("another account's device counts: %+v", e.Devices)
	}
}

func TestAnAnswerWithoutItsListIsNoEmptyList(t *testing.T) {
	_, auditor := newRogue(t, says("ListAccessKeys", ""))
	if e := member(t, auditor); e.Keys.Known() {
		t.Errorf("the keys are %+v", e.Keys)
	}
	facts := auditor.Read(t.Context(), remediation.Request{Source: "acme", Account: foreignMember, Means: remediation.MeansOrganization, Version: 3})
	if facts.Gap == nil || facts.NoKeys || facts.KeysKnown {
		t.Errorf("the reading says that there is no key: %+v", facts)
	}
	_, auditor = newRogue(t, says("ListAccessKeys", "<AccessKeyMetadata/><IsTruncated>false</IsTruncated>"))
	if facts := auditor.Read(t.Context(), remediation.Request{Source: "acme", Account: foreignMember, Means: remediation.MeansOrganization, Version: 3}); !facts.NoKeys {
		t.Errorf("an empty list is: %+v", facts)
	}
}

func TestAKeyThatIsListedTwiceIsOneKey(t *testing.T) {
	inactive := strings.Replace(rogueKey, "Active", "Inactive", 1)
	_, auditor := newRogue(t, map[string]func(http.ResponseWriter, int, url.Values){
		"ListAccessKeys": func(w http.ResponseWriter, n int, _ url.Values) {
			if n == 1 {
				answer(w, "ListAccessKeys", inactive+"<IsTruncated>true</IsTruncated><Marker>m</Marker>")
				return
			}
			answer(w, "ListAccessKeys", rogueKey)
		},
	})
	if e := member(t, auditor); len(e.Keys.Value) != 1 || e.Keys.Value[0].Status != posture.KeyActive {
		t.Errorf("the keys are %+v", e.Keys)
	}
}
