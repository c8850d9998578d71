package awssim_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rootcheck-bot/rootcheck/sim/awssim"
)

// FuzzAPI sends anything to the endpoint: whatever it is, an answer of the service's protocol comes back.
func FuzzAPI(f *testing.F) {
	for _, seed := range [][5]string{
		{"sts", "", "/", "", "Action=AssumeRoot&Version=2011-06-15&TargetPrincipal=333333333333&DurationSeconds=-1"},
		{"sts", "", "/", "", "Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::1:role/&RoleSessionName=xx"},
		{"iam", "", "/", "", "Action=ListAccessKeys&Version=2010-05-08&Marker=next-9999999&MaxItems=0"},
		{"organizations", "AWSOrganizationsV20161128.ListAccounts", "/", "", `{"NextToken":"turn-next-99","MaxResults":1e300}`},
		{"organizations", "AWSOrganizationsV20161128.CreatePolicy", "/", "", `{"Type":"SERVICE_CONTROL_POLICY","Name":"x","Content":"{\"Statement\":[{\"Effect\":\"Deny\",\"Action\":\"**?\"}]}"}`},
		{"organizations", "AWSOrganizationsV20161128.ListAccounts", "/", "", "null"},
		{"cloudtrail", "CloudTrail_20131101.LookupEvents", "/", "", `{"StartTime":-1e300,"LookupAttributes":[7]}`},
		{"account", "", "/getAlternateContact", "", `{"AccountId":7}`},
		{"account", "", "/..", "", `[]`},
		{"iam", "", "/", "IQoJb3JpZ2luX2VjEAAAA", "Action=GetUser&Version=2010-05-08"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4])
	}
	o := awssim.New(awssim.Config{})
	h := o.API()
	f.Fuzz(func(t *testing.T, service, target, path, token, body string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		r.URL.Path = "/" + path
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+awssim.LabAccessKeyID+"/20261121/us-east-1/"+service+"/aws4_request, Signature=0")
		r.Header.Set("X-Amz-Security-Token", token)
		r.Header.Set("X-Amz-Target", target)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if token != "" {
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261121/us-east-1/"+service+"/aws4_request, Signature=0")
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 || strings.Contains(w.Body.String(), "<html") || w.Header().Get("X-Amzn-Requestid") == "" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
