package report

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rootcheck-bot/rootcheck/app"
	"github.com/rootcheck-bot/rootcheck/commands"
	"github.com/rootcheck-bot/rootcheck/posture"
)

// looker is an AWS of one account, of which evidence tells what there is.
type looker struct{ evidence posture.Evidence }

func (looker) Sources() []string { return []string{"acme"} }

func (looker) Inventory(_ context.Context, source string, yield func(posture.Account) error) (commands.Organization, error) {
	a := posture.Account{ID: "111122223333", Source: source, Name: "payments", State: posture.StateActive, Role: posture.RoleStandalone}
	return commands.Organization{Source: source}, yield(a)
}

func (l looker) Inspect(_ context.Context, a posture.Account) posture.Evidence {
	l.evidence.Account = a
	return l.evidence
}

func TestThePageAndTheTableSayTheSameAndNoMoreThanWasSeen(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, time.November, 21, 9, 0, 0, 0, time.UTC)
	sound := posture.Evidence{
		At: at, AccessKeys: posture.Told(false, posture.SourceSummary, at), MFA: posture.Told(true, posture.SourceSummary, at),
		Certificates: posture.Told(false, posture.SourceSummary, at), Password: posture.Told(true, posture.SourceSummary, at),
		Devices: posture.Told([]posture.Device{{Serial: "arn:aws:iam::111122223333:u2f/root/a"}, {Serial: "GAHT12345678"}}, "ListMFADevices", at),
		SignIn:  posture.Told(posture.Use{}, posture.SourceReport, at), KeyUse: posture.Told(posture.Use{}, posture.SourceReport, at),
	}
	for name, c := range map[string]struct {
		change func(*posture.Evidence)
		asked  []string
		want   string
		status app.CheckStatus
	}{
		"all was read and passes": {func(*posture.Evidence) {}, nil, "Everything passes.", app.AllPass},
		"a use that nothing tells is no pass of everything": {func(e *posture.Evidence) {
			e.SignIn = posture.Fact[posture.Use]{}
		}, nil, "Everything that can be told passes.", app.AllPass},
		"one finding fails": {func(e *posture.Evidence) { e.AccessKeys.Value = true }, nil, "Failing: 1 critical.", app.SomeFail},
		"an account is missing beside a finding": {func(e *posture.Evidence) {
			e.AccessKeys.Value = true
		}, []string{"payments", "billing"}, "Failing: 1 critical; and not everything could be checked.", app.SomeUnread},
		"an account is missing": {func(*posture.Evidence) {}, []string{"payments", "billing"}, "Nothing that could be checked fails.", app.SomeUnread},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := sound
			c.change(&e)
			found, err := app.Check(t.Context(), app.DefaultConfig(), app.CheckOptions{Now: func() time.Time { return at }, Looker: looker{e}, Accounts: c.asked})
			if err != nil {
				t.Fatal(err)
			}
			var page, table bytes.Buffer
			if err = HTML(&page, found); err != nil {
				t.Fatal(err)
			}
			if err = Table(&table, found, false); err != nil {
				t.Fatal(err)
			}
			if found.Status() != c.status || !strings.Contains(page.String(), ">"+c.want+"<") || !strings.HasSuffix(table.String(), "\n"+c.want+"\n") {
				t.Errorf("status %d, want %d; want %q on the page and in\n%s", found.Status(), c.status, c.want, table.String())
			}
			for _, w := range c.asked[min(1, len(c.asked)):] {
				if !strings.Contains(page.String(), w) || !strings.Contains(table.String(), w) {
					t.Errorf("%s, which is nowhere, is not named in\n%s", w, table.String())
				}
			}
			if err = found.Rows.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// fleet is an organization of many accounts, of which some are refused and all the others sound.
type fleet struct {
	looker

	accounts, refused int
}

func (f fleet) Inventory(_ context.Context, source string, yield func(posture.Account) error) (commands.Organization, error) {
	for i := range f.accounts {
		a := posture.Account{
			ID: posture.AccountID(fmt.Sprintf("%012d", 100000000000+i)), Source: source, Name: fmt.Sprintf("account-%d", i), State: posture.StateActive, Role: posture.RoleStandalone,
		}
		if err := yield(a); err != nil {
			return commands.Organization{}, err
		}
	}
	return commands.Organization{Source: source}, nil
}

func (f fleet) Inspect(ctx context.Context, a posture.Account) posture.Evidence {
	e := f.looker.Inspect(ctx, a)
	if i, err := strconv.Atoi(string(a.ID)); err != nil || i-100000000000 < f.refused {
		denied := posture.Gap{Reason: posture.ReasonDenied}
		e.AccessKeys = posture.Missing[bool](posture.SourceSummary, denied)
		e.MFA, e.Certificates, e.Password = e.AccessKeys, e.AccessKeys, e.AccessKeys
	}
	return e
}

func TestTheTableOfAFleetShowsWhoCouldNotBeReadAndGathersWhoIsWell(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, time.November, 21, 9, 0, 0, 0, time.UTC)
	sound := posture.Evidence{ // of a member without credentials: no open way tells its activity
		At: at, AccessKeys: posture.Told(false, posture.SourceSummary, at), MFA: posture.Told(false, posture.SourceSummary, at),
		Certificates: posture.Told(false, posture.SourceSummary, at), Password: posture.Told(false, posture.SourceSummary, at),
	}
	found, err := app.Check(t.Context(), app.DefaultConfig(), app.CheckOptions{
		Now: func() time.Time { return at }, Looker: fleet{looker{sound}, 1000, 7},
	})
	if err != nil {
		t.Fatal(err)
	}
	var table bytes.Buffer
	if err = Table(&table, found, false); err != nil {
		t.Fatal(err)
	}
	text := table.String()
	for _, want := range []string{
		"\nand 993 accounts where nothing that can be told fails\n",
		"\n100000000006  account-6 ",
		"\n      in account-0 (100000000000), account-1 (100000000001), account-2 (100000000002), account-3 (100000000003), account-4 (100000000004) and 2 more\n",
		" of root-activity",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the table lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "account-7 ") || strings.Count(text, "\n") > 60 {
		t.Errorf("the table shows accounts of which nothing is to be said:\n%s", text)
	}
	if err = found.Rows.Close(); err != nil {
		t.Error(err)
	}
}

func TestThePageShowsCommandsAsCodeAndTrustsNoText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"ask `bot doctor` first": "ask <code>bot doctor</code> first",
		"<b> & `<i>`":            "&lt;b&gt; &amp; <code>&lt;i&gt;</code>",
		"one ` alone":            "one <code> alone</code>",
		"":                       "",
	} {
		if got := string(prose(in)); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}
