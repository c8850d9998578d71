package awsroot

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// summaryOf is an account summary as long as AWS's, with these flags in the middle.
func summaryOf(flags string) []byte {
	var b strings.Builder
	b.WriteString("<GetAccountSummaryResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\n<GetAccountSummaryResult>\n<SummaryMap>\n")
	for i := range 30 {
		if i == 15 {
			b.WriteString(flags)
		}
		fmt.Fprintf(&b, "<entry>\n<key>PolicyVersionsInUseQuota%d</key>\n<value>10000</value>\n</entry>\n", i)
	}
	b.WriteString("</SummaryMap>\n</GetAccountSummaryResult>\n<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>\n</GetAccountSummaryResponse>")
	return []byte(b.String())
}

func entryOf(name, value string) string {
	return "<entry>\n<key>" + name + "</key>\n<value>" + value + "</value>\n</entry>\n"
}

func soundFlags() string {
	return entryOf("AccountAccessKeysPresent", "0") + entryOf("AccountMFAEnabled", "1") + entryOf("AccountSigningCertificatesPresent", "0") + entryOf("AccountPasswordPresent", "0")
}

func guarded(summary []byte) error {
	return guardSummary(&smithyhttp.Response{Response: &http.Response{Body: io.NopCloser(bytes.NewReader(summary))}})
}

func TestAFlagIsOneNumberHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	const keys = "AccountAccessKeysPresent"
	twice := func(second string) string {
		return strings.Replace(soundFlags(), keys+"</key>\n<value>0", keys+"</key>\n<value>1", 1) + second
	}
	for name, c := range map[string]struct {
		flags string
		fits  bool
	}{
		"as AWS writes it":                  {soundFlags(), true},
		"without its flags":                 {"", true},
		"with spaces within the tags":       {strings.ReplaceAll(soundFlags(), "<value>", "<value  >"), true},
		"the same number twice":             {soundFlags() + entryOf(keys, "0"), true},
		"two numbers":                       {twice(entryOf(keys, "0")), false},
		"two numbers, one in another shape": {twice("<entry><key >" + keys + "</key><value>0</value></entry>"), false},
		"two numbers, one behind an entity": {twice(entryOf("&#65;ccountAccessKeysPresent", "0")), false},
		"two numbers, one behind a section": {twice(entryOf("<![CDATA["+keys+"]]>", "0")), false},
		"two numbers, the value first":      {twice("<entry><value>0</value><key>" + keys + "</key></entry>"), false},
		"two numbers in one entry":          {strings.Replace(soundFlags(), "<value>0</value>", "<value>1</value><value>0</value>", 1), false},
		"two names in one entry":            {strings.Replace(soundFlags(), "<key>"+keys, "<key>Users</key><key>"+keys, 1), false},
		"nothing":                           {strings.Replace(soundFlags(), "<value>0</value>", "<value></value>", 1), false},
		"nothing but an empty tag":          {strings.Replace(soundFlags(), "<value>0</value>", "<value/>", 1), false},
		"too large":                         {strings.Replace(soundFlags(), "<value>0</value>", "<value>4294967296</value>", 1), false},
		"a word":                            {strings.Replace(soundFlags(), "<value>0</value>", "<value>no</value>", 1), false},
	} {
		if err := guarded(summaryOf(c.flags)); (err == nil) != c.fits {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkGuardingASummary(b *testing.B) {
	summary := summaryOf(soundFlags())
	for b.Loop() {
		if err := guarded(summary); err != nil {
			b.Fatal(err)
		}
	}
}
