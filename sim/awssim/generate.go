package awssim

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// unitSize is how many generated accounts share an organizational unit.
const unitSize = 250

// generate fills the organization up to a number of accounts. Most have no root credentials at all, as in an
// organization that manages root access centrally; the rest is a mix of what goes wrong.
func (o *Organization) generate(total int) {
	if total <= len(o.members) {
		return
	}
	random := rand.New(rand.NewPCG(uint64(o.config.Seed), 2)) //nolint:gosec // a reproducible organization is the purpose
	now := o.now()
	fleet := o.addUnit(o.root, "ou-acme-fleet000", "Fleet")
	var team *unit
	for i := 0; len(o.members) < total; i++ {
		if i%unitSize == 0 {
			team = o.addUnit(fleet, fmt.Sprintf("ou-acme-t%07d", i/unitSize), fmt.Sprintf("Team %d", i/unitSize+1))
		}
		id := generatedID(i)
		name := fmt.Sprintf("fleet-%s-%05d", []string{"prod", "test", "dev", "data"}[i%4], i+1)
		a := o.addAccount(team, id, name, name+"@acme.example")
		if i%5 == 0 {
			a.tags = []tag{{"owner", fmt.Sprintf("team-%d@acme.example", i/unitSize+1)}}
		}
		o.generateRoot(a, random, now)
	}
}

// generatedID spreads ids over the twelve digits; no two numbers below ten million share one.
func generatedID(i int) string { return fmt.Sprintf("3%011d", (uint64(i)+1)*7_368_787%100_000_000_000) } //nolint:gosec // never negative

// generateRoot draws what a root user has: per hundred accounts about 80 nothing at all, 12 a password with MFA, 3 a
// password without, 3 an active key, 1 an inactive one, 1 two keys.
func (o *Organization) generateRoot(a *account, random *rand.Rand, now time.Time) {
	n := random.IntN(100)
	if n < 80 {
		return
	}
	used := time.Time{}
	if random.IntN(4) == 0 {
		used = now.Add(-time.Duration(random.IntN(400)+2) * day)
	}
	a.password(used)
	if n >= 83 {
		o.device(a, []string{"virtual", "virtual", "hardware", "passkey"}[random.IntN(4)])
		if random.IntN(3) == 0 {
			o.device(a, "passkey")
		}
	}
	age := time.Duration(random.IntN(1500)+30) * day
	if n >= 95 && n != 98 {
		o.oldKey(a, statusActive, age, used, "sts", "us-east-1")
	}
	if n >= 98 {
		o.oldKey(a, statusInactive, age+90*day, time.Time{}, "", "")
	}
}

// device gives the root user one more MFA device, with a serial number of the form that its kind has.
func (o *Organization) device(a *account, kind string) device {
	n := o.random.Uint32()
	serial := fmt.Sprintf("GAHT%08d", n%100_000_000)
	switch kind {
	case "virtual":
		serial = fmt.Sprintf("arn:aws:iam::%s:mfa/phone-%04x", a.id, n&0xffff)
	case "passkey":
		serial = fmt.Sprintf("arn:aws:iam::%s:u2f/root-account/key-%08X", a.id, n)
	}
	d := device{serial: serial, enabled: a.created.Add(day)}
	a.root.devices = append(a.root.devices, d)
	return d
}
