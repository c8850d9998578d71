package awsroot_test

import (
	"fmt"
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
	_, err := auditor.Only(foreignMember).Inventory(t.Context(), "acme", func(a posture.Account) error { return nil })
	if err == nil {
		t.Error("an answer about another account is the answer")
	}
}
