package posture_test

import (
	"fmt"
	"testing"

	"github.com/rootcheck-bot/rootcheck/posture"
)

func tenThousand() []posture.Posture {
	all := make([]posture.Posture, 0, 10_000)
	for i := range cap(all) {
		p := estate()[i%3]
		p.Account.ID = posture.AccountID(fmt.Sprintf("%012d", i))
		all = append(all, p)
	}
	return all
}

func BenchmarkSearchTenThousandAccounts(b *testing.B) {
	all, q := tenThousand(), posture.ParseQuery("acme failed root-access-key")
	for b.Loop() {
		n := 0
		for _, p := range all {
			if q.Match(p) {
				n++
			}
		}
		if n == 0 {
			b.Fatal("nothing found")
		}
	}
}
