package awsroot_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/posture"
)

func TestAnInventoryWithoutEndIsGivenUp(t *testing.T) {
	for name, page := range map[string]func(n int) string{
		"the same accounts on every page": func(int) string { return rogueAccount(foreignManagement, "a") + "," + rogueAccount(foreignMember, "b") },
		"empty pages":                     func(int) string { return "" },
		"other accounts on every page": func(n int) string {
			accounts := make([]string, 0, 200)
			for i := range 200 {
				accounts = append(accounts, fmt.Sprintf(`{"Id":"%012d","State":"ACTIVE"}`, n*200+i))
			}
			return strings.Join(accounts, ",")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, auditor := newRogue(t, map[string]func(http.ResponseWriter, int, url.Values){
				"ListAccounts": func(w http.ResponseWriter, n int, _ url.Values) {
					fmt.Fprintf(w, `{"Accounts":[%s],"NextToken":"t%d"}`, page(n), n)
				},
			})
			ended := make(chan error, 1)
			go func() {
				_, err := auditor.Inventory(t.Context(), "acme", func(posture.Account) error { return nil })
				ended <- err
			}()
			select {
			case err := <-ended:
				if err == nil || !strings.Contains(err.Error(), "do not end") {
					t.Errorf("the error is %v", err)
				}
			case <-time.After(20 * time.Second):
				t.Errorf("after %d pages it still reads", s.count("ListAccounts"))
			}
		})
	}
}

func TestAListOfAllAccountsOnOnePageIsRead(t *testing.T) {
	const accounts = 50_000
	_, auditor := newRogue(t, map[string]func(http.ResponseWriter, int, url.Values){
		"ListAccounts": func(w http.ResponseWriter, _ int, _ url.Values) {
			_, _ = io.WriteString(w, `{"Accounts":[`)
			for i := range accounts {
				_, _ = io.WriteString(w, rogueAccount(fmt.Sprintf("%012d", i), "an account with a name of some length, and its team")+",")
			}
			_, _ = io.WriteString(w, rogueAccount(foreignManagement, "a")+`]}`)
		},
	})
	listed := 0
	if _, err := auditor.Inventory(t.Context(), "acme", func(posture.Account) error { listed++; return nil }); err != nil || listed != accounts+1 {
		t.Errorf("%d accounts were listed, %v", listed, err)
	}
}

func TestOneBadRowHidesNoOtherAccount(t *testing.T) {
	_, auditor := newRogue(t, map[string]func(http.ResponseWriter, int, url.Values){
		"ListAccounts": func(w http.ResponseWriter, n int, _ url.Values) {
			if n == 1 {
				fmt.Fprintf(w, `{"Accounts":[{"Id":"12\u001b[31m","Name":"x"},%s],"NextToken":"t"}`, rogueAccount(foreignManagement, "a"))
				return
			}
			fmt.Fprintf(w, `{"Accounts":[%s]}`, rogueAccount(foreignMember, "b"))
		},
	})
	listed := 0
	_, err := auditor.Inventory(t.Context(), "acme", func(posture.Account) error { listed++; return nil })
	if listed != 2 || err == nil || !strings.Contains(err.Error(), "without an id") {
		t.Errorf("%d accounts were listed, and the error is %v", listed, err)
	}
}

func TestAnAccountThatNobodyAskedAboutIsNoAnswer(t *testing.T) {
	_, auditor := newRogue(t, map[string]func(http.ResponseWriter, int, url.Values){
		"DescribeAccount": func(w http.ResponseWriter, _ int, _ url.Values) {
			fmt.Fprintf(w, `{"Account":%s}`, rogueAccount(foreignManagement, "a"))
		},
	})
	_, err := auditor.Only(foreignMember).Inventory(t.Context(), "acme", func(posture.Account) error { return nil })
	if err == nil {
		t.Error("an answer about another account is the answer")
	}
}

func TestTextsOfAnyLengthAreKeptAtTheLengthThatAWSGivesThem(t *testing.T) {
	const long = 20_000
	endless, many := strings.Repeat("x", long), strings.Repeat("<member><SerialNumber>"+strings.Repeat("s", 900)+"</SerialNumber></member>", 200)
	path := strings.Repeat("r-abcd/ou-abcd-"+endless[:50]+"/", long/60)
	_, auditor := newRogue(t, map[string]func(http.ResponseWriter, int, url.Values){
		"ListAccounts": func(w http.ResponseWriter, _ int, _ url.Values) {
			fmt.Fprintf(w, `{"Accounts":[{"Id":"%s","Name":"%s","Email":"%s","State":"ACTIVE","Paths":["%s"],"Arn":"arn:%s:organizations::%s:account/%s/1"}]}`,
				foreignMember, endless, endless, path, endless, endless, endless)
		},
		"ListAccessKeys": func(w http.ResponseWriter, _ int, _ url.Values) {
			answer(w, "ListAccessKeys", strings.Replace(rogueKey, "AKIA", "AKIA"+endless, 1))
		},
		"GetAccessKeyLastUsed": func(w http.ResponseWriter, _ int, _ url.Values) {
			answer(w, "GetAccessKeyLastUsed", "<AccessKeyLastUsed><Region>"+endless+"</Region><ServiceName>"+endless+"</ServiceName><LastUsedDate>2026-01-01T00:00:00Z</LastUsedDate></AccessKeyLastUsed>")
		},
		"ListMFADevices": func(w http.ResponseWriter, _ int, _ url.Values) {
			answer(w, "ListMFADevices", "<MFADevices>"+many+"</MFADevices>")
		},
	})
	e := member(t, auditor)
	kept, err := json.Marshal(e)
	if err != nil || len(kept) > 10_000 || len(e.Keys.Value[0].ID) > 1000 || !strings.HasPrefix(e.Account.Unit, "/ou-abcd") {
		t.Errorf("%d bytes are kept of one account, %v", len(kept), err)
	}
	if e.Devices.Known() || e.Devices.Gap.Reason != posture.ReasonGarbage {
		t.Errorf("200 devices of one root user are believed: %d", len(e.Devices.Value))
	}
}
