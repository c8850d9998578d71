package awsroot

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// slowly answers each call just before it would be given up, and has always another page.
type slowly struct{ after time.Duration }

func (s slowly) Do(r *http.Request) (*http.Response, error) {
	t := time.NewTimer(s.after)
	defer t.Stop()
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case <-t.C:
	}
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(sent))
	if err != nil {
		return nil, err
	}
	action := form.Get("Action")
	result := map[string]string{
		"GetAccountSummary":        "<SummaryMap><entry><key>AccountMFAEnabled</key><value>1</value></entry><entry><key>AccountPasswordPresent</key><value>1</value></entry></SummaryMap>",
		"ListVirtualMFADevices":    "<VirtualMFADevices/><IsTruncated>true</IsTruncated><Marker>m</Marker>",
		"GenerateCredentialReport": "<State>STARTED</State>",
	}[action]
	body := "<" + action + "Response><" + action + "Result>" + result + "</" + action + "Result></" + action + "Response>"
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func TestAnAccountThatAnswersSlowlyWithoutEndIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := aws.Config{
			Region: defaultRegion, HTTPClient: slowly{callTimeout - time.Second},
			Credentials: credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "made-up", ""),
		}
		r := &reach{src: Source{Name: "one", Account: &Account{}}, base: base, plain: base, pace: newPace(0), who: &identity{}}
		a := &Auditor{reaches: []*reach{r}, cfg: Config{Now: time.Now}}
		began := time.Now()
		e := a.Inspect(t.Context(), posture.Account{ID: "123456789012", Source: "one", State: posture.StateActive, Role: posture.RoleStandalone})
		if took := time.Since(began); took > 3*time.Minute {
			t.Errorf("one account took %s", took)
		}
		if !e.MFA.Known() || e.Devices.Known() || e.Devices.Gap.Reason != posture.ReasonNoAnswer {
			t.Errorf("MFA is %+v, the devices %+v", e.MFA, e.Devices)
		}
	})
}
