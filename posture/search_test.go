package posture_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rootcheck-bot/rootcheck/posture"
)

func estate() []posture.Posture {
	account := func(id posture.AccountID, name, unit string, keys bool) posture.Posture {
		e := posture.Evidence{
			Account: posture.Account{
				ID: id, Source: "acme", Name: name, Alias: strings.ToLower(name) + "-aws", Unit: unit,
				State: posture.StateActive, Role: posture.RoleMember, Tags: map[string]string{"team": "Payments"},
			},
			At: noon(), Via: "assume-root",
			AccessKeys:   posture.Told(keys, posture.SourceSummary, noon()),
			MFA:          posture.Told(true, posture.SourceSummary, noon()),
			Password:     posture.Told(true, posture.SourceSummary, noon()),
			Certificates: posture.Told(false, posture.SourceSummary, noon()),
			Centralized:  posture.Told(false, "ListOrganizationsFeatures", noon()),
		}
		return posture.Judge(e, posture.Policy{}, noon())
	}
	return []posture.Posture{
		account("111122223333", "Billing", "/core", true),
		account("222233334444", "Shop", "/web/prod", false),
		account("333344445555", "Lowlands", "/web/test", false),
	}
}

func TestSearch(t *testing.T) {
	for words, want := range map[string]string{
		"":                         "Billing Shop Lowlands",
		"billing":                  "Billing",
		"BILL":                     "Billing",
		"shop-aws":                 "Shop",
		"111122223333":             "Billing",
		"2222":                     "Billing Shop",
		"/web":                     "Shop Lowlands",
		"web prod":                 "Shop",
		"payments":                 "Billing Shop Lowlands",
		"team=payments shop":       "Shop",
		"root-access-key failed":   "Billing",
		"failed critical":          "Billing",
		"shop critical failed":     "",
		"root-mfa failed":          "",
		"root-mfa passed":          "Billing Shop Lowlands",
		"not-available":            "Billing Shop Lowlands",
		"notavailable root-backup": "Billing Shop Lowlands",
		"low failed":               "",
		"lowlands":                 "Lowlands",
		"nothing of the kind":      "",
	} {
		t.Run(words, func(t *testing.T) {
			q := posture.ParseQuery(words)
			var found []string
			for _, p := range estate() {
				if q.Match(p) {
					found = append(found, p.Account.Name)
				}
				if q.Match(p) != (len(q.Findings(p)) > 0) {
					t.Errorf("%s matches without a finding, or the other way round", p.Account.Name)
				}
			}
			if got := strings.Join(found, " "); got != want {
				t.Errorf("found %q, want %q", got, want)
			}
		})
	}
}

func TestSuggestions(t *testing.T) {
	var names []string
	for _, p := range estate() {
		names = append(names, p.Account.Names()...)
	}
	vocabulary := append(posture.Vocabulary(), names...)
	for typed, want := range map[string]string{
		"biling":                        "Billing",
		"biliing":                       "Billing",
		"blilnig":                       "Billing",
		"Shpo":                          "Shop",
		"faild":                         "failed",
		"root-mfaa":                     "root-mfa",
		"root-acess-key":                "root-access-key",
		"111122223334":                  "111122223333",
		"xyzzy":                         "",
		"q":                             "",
		"":                              "",
		strings.Repeat("billing", 1000): "",
	} {
		got, ok := posture.Suggest(typed, vocabulary)
		if got != want || ok != (want != "") {
			t.Errorf("for %.20q suggests %q, want %q", typed, got, want)
		}
	}
}

func TestSuggestionsStayNear(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		vocabulary := rapid.SliceOf(rapid.String()).Draw(t, "vocabulary")
		typed := rapid.String().Draw(t, "typed")
		got, ok := posture.Suggest(typed, vocabulary)
		if ok && !strings.Contains("\x00"+strings.Join(vocabulary, "\x00")+"\x00", "\x00"+got+"\x00") {
			t.Fatalf("%q is no word of the vocabulary", got)
		}
		for _, w := range vocabulary {
			if n := len([]rune(typed)); n > 0 && n <= 64 && w == strings.ToLower(w) && w == typed && (!ok || !strings.EqualFold(got, w)) {
				t.Fatalf("%q is in the vocabulary, and %q is suggested", w, got)
			}
		}
	})
}

func TestPagesHoldEveryItemOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := make([]int, rapid.IntRange(0, 50).Draw(t, "items"))
		for i := range items {
			items[i] = i
		}
		size := rapid.Int().Draw(t, "size")
		if rapid.Bool().Draw(t, "small") {
			size = rapid.IntRange(-1, 12).Draw(t, "small size")
		}
		first := posture.Paginate(items, 1, size)
		var all []int
		for n := 1; n <= first.Pages; n++ {
			p := posture.Paginate(items, n, size)
			if p.Number != n || p.Total != len(items) || p.Pages != first.Pages {
				t.Fatalf("page %d of %d is number %d of %d with %d in all", n, first.Pages, p.Number, p.Pages, p.Total)
			}
			all = append(all, p.Items...)
		}
		if len(all) != len(items) {
			t.Fatalf("the pages hold %d of %d items", len(all), len(items))
		}
		for i, item := range all {
			if item != i {
				t.Fatalf("item %d stands at %d", item, i)
			}
		}
		outside := rapid.Int().Draw(t, "any number")
		if p := posture.Paginate(items, outside, size); p.Number < 1 || p.Number > p.Pages {
			t.Fatalf("asked for page %d, got %d of %d", outside, p.Number, p.Pages)
		}
	})
}
