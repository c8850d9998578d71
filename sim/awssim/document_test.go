package awssim

import "testing"

func TestDocuments(t *testing.T) {
	t.Parallel()
	const principal, assumed = "aws:principalarn", "aws:assumedroot"
	root := map[string]string{principal: "arn:aws:iam::333333333333:root"}
	session := map[string]string{principal: "arn:aws:iam::333333333333:root", assumed: "true"}
	user := map[string]string{principal: "arn:aws:iam::333333333333:user/rootless"}
	deny := func(rest string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*",` + rest + `}]}`
	}
	for _, tt := range []struct {
		name, document, action, resource string
		keys                             map[string]string
		denied                           bool
	}{
		{"the quarantine binds a root user's key", QuarantineDocument, "s3:ListBuckets", "*", root, true},
		{"it spares a session of AssumeRoot", QuarantineDocument, "iam:DeleteAccessKey", "*", session, false},
		{"it spares a user whose name begins with root", QuarantineDocument, "s3:ListBuckets", "*", user, false},
		{"without the exemption it binds the session too", denyRootDocument, "iam:GetAccountSummary", "*", session, true},
		{"one action may be written without brackets, in any case", `{"Statement":{"Effect":"Deny","Action":"IAM:get*","Resource":"*"}}`, "iam:GetUser", "*", root, true},
		{"another action is not meant", `{"Statement":{"Effect":"Deny","Action":"iam:Get*","Resource":"*"}}`, "iam:ListAccessKeys", "*", root, false},
		{"NotAction means all the others", `{"Statement":{"Effect":"Deny","NotAction":["iam:GetUser"],"Resource":"*"}}`, "iam:ListAccessKeys", "*", root, true},
		{"and spares what it names", `{"Statement":{"Effect":"Deny","NotAction":["iam:GetUser"],"Resource":"*"}}`, "iam:GetUser", "*", root, false},
		{"NotResource spares the resource", `{"Statement":{"Effect":"Deny","Action":"*","NotResource":"arn:aws:iam::*:root"}}`, "iam:GetUser", "arn:aws:iam::333333333333:root", root, false},
		{"and binds every other", `{"Statement":{"Effect":"Deny","Action":"*","NotResource":"arn:aws:iam::*:root"}}`, "iam:GetUser", "arn:aws:iam::333333333333:user/x", root, true},
		{"StringEquals is exact", deny(`"Condition":{"StringEquals":{"aws:PrincipalArn":"arn:aws:iam::*:root"}}`), "s3:x", "*", root, false},
		{"StringNotLike holds where the key is missing", deny(`"Condition":{"StringNotLike":{"aws:SourceAccount":"1*"}}`), "s3:x", "*", root, true},
		{"StringLike does not", deny(`"Condition":{"StringLike":{"aws:SourceAccount":"1*"}}`), "s3:x", "*", root, false},
		{"IfExists does", deny(`"Condition":{"StringLikeIfExists":{"aws:SourceAccount":"1*"}}`), "s3:x", "*", root, true},
		{"Null false wants the key", deny(`"Condition":{"Null":{"aws:AssumedRoot":"false"}}`), "s3:x", "*", root, false},
		{"and takes it", deny(`"Condition":{"Null":{"aws:AssumedRoot":"false"}}`), "s3:x", "*", session, true},
		{"all conditions must hold", deny(`"Condition":{"Bool":{"aws:AssumedRoot":"true"},"ArnNotLike":{"aws:PrincipalArn":"*:root"}}`), "s3:x", "*", session, false},
		{"an operator that is not known denies nothing", deny(`"Condition":{"NumericLessThan":{"aws:PrincipalArn":"5"}}`), "s3:x", "*", root, false},
		{"an allowance denies nothing", fullAccessDocument, "s3:x", "*", root, false},
	} {
		d, err := parseDocument(tt.document)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := d.denies(question{action: tt.action, resource: tt.resource, keys: tt.keys}); got != tt.denied {
			t.Errorf("%s: denied %t, want %t", tt.name, got, tt.denied)
		}
	}
	for _, bad := range []string{``, `{}`, `[]`, `{"Statement":[]`, `{"Statement":{"Effect":"Maybe","Action":"*"}}`, `{"Statement":{"Effect":"Deny"}}`, `{"Statement":{"Effect":"Deny","Action":7}}`} {
		if _, err := parseDocument(bad); err == nil {
			t.Errorf("%s was taken for a policy", bad)
		}
	}
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"*", "", true},
		{"", "", true},
		{"", "a", false},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"arn:*:iam::*:root", "arn:aws-us-gov:iam::333333333333:root", true},
		{"arn:aws:iam::*:root", "arn:aws:iam::333333333333:user/root", false},
		{"*a*b*", "xxaxxaxxbxx", true},
		{"*a*b", "xxaxxbx", false},
		{"a**", "a", true},
	} {
		if got := matches(tt.pattern, tt.s); got != tt.want {
			t.Errorf("%q on %q: %t", tt.pattern, tt.s, got)
		}
	}
}
