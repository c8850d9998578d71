package awssim

import (
	"net/http"
	"strings"
	"time"
)

// kind is the sort of caller that a credential stands for.
type kind string

const (
	userKey     kind = "user"     // an IAM user's own key
	roleSession kind = "role"     // minted by AssumeRole
	rootUserKey kind = "root"     // a root user's long-term key
	rootSession kind = "assumed"  // minted by AssumeRoot, bound by its task policy
	rootTempKey kind = "roottemp" // minted by GetSessionToken for a root user: good for no IAM call
)

// administrator is the name of the user or role that a stranger's access key stands for.
const administrator = "administrator"

// principal is who signed a call.
type principal struct {
	kind    kind
	account *account
	keyID   string
	name    string // of the user or role
	session string
	task    string
	key     *key // the root user's long-term key, if that signed
}

// arn is the caller as sts:GetCallerIdentity names it.
func (p *principal) arn() string {
	switch p.kind {
	case userKey:
		return "arn:aws:iam::" + p.account.id + ":user/" + p.name
	case roleSession:
		return "arn:aws:sts::" + p.account.id + ":assumed-role/" + p.name + "/" + p.session
	case rootUserKey, rootSession, rootTempKey:
		return p.account.rootARN()
	default:
		return ""
	}
}

// userID is the unique id that goes with the ARN.
func (p *principal) userID() string {
	switch p.kind {
	case userKey:
		return "AIDA" + strings.Repeat("Q", 4) + p.account.id
	case roleSession:
		return "AROA" + strings.Repeat("Q", 4) + p.account.id + ":" + p.session
	case rootUserKey, rootSession, rootTempKey:
		return p.account.id
	default:
		return ""
	}
}

func (p *principal) isRoot() bool {
	return p.kind == rootUserKey || p.kind == rootSession || p.kind == rootTempKey
}

// conditionKeys are the condition keys that a policy may ask about. Only a session that AssumeRoot minted has the key
// aws:AssumedRoot, which is what exempts it from the quarantine policy.
func (p *principal) conditionKeys() map[string]string {
	arn := p.arn()
	if p.kind == roleSession {
		arn = "arn:aws:iam::" + p.account.id + ":role/" + p.name
	}
	keys := map[string]string{"aws:principalarn": arn, "aws:principalaccount": p.account.id}
	if p.kind == rootSession {
		keys["aws:assumedroot"] = "true"
	}
	return keys
}

// credential is what the Authorization header, or the query of a presigned call, says about the signer.
type credential struct{ keyID, region, service, token string }

func readCredential(r *http.Request) (credential, bool) {
	query := r.URL.Query()
	scope, token := query.Get("X-Amz-Credential"), query.Get("X-Amz-Security-Token")
	if h := r.Header.Get("Authorization"); h != "" {
		_, after, found := strings.Cut(h, "Credential=")
		if !found || !strings.HasPrefix(h, "AWS4-HMAC-SHA256 ") {
			return credential{}, false
		}
		scope, _, _ = strings.Cut(after, ",")
		token = r.Header.Get("X-Amz-Security-Token")
	}
	parts := strings.Split(strings.TrimSpace(scope), "/")
	if len(parts) != 5 || parts[4] != "aws4_request" || parts[0] == "" {
		return credential{}, false
	}
	return credential{keyID: parts[0], region: parts[2], service: parts[3], token: token}, true
}

// authenticate decides who signed. Keys that were minted here are checked; a stranger's key is an administrator's of
// the management account, so that any made-up credentials work.
func (o *Organization) authenticate(c credential, now time.Time) (*principal, error) {
	if s, ok := o.open(c.token); ok {
		return o.sessionPrincipal(s, c, now)
	}
	if k, ok := o.keys[c.keyID]; ok {
		if k.at(now) != statusActive || k.account.state != stateActive || c.token != "" {
			return nil, errInvalidToken()
		}
		return &principal{kind: rootUserKey, account: k.account, keyID: k.id, key: k}, nil
	}
	if c.keyID == LabReadOnlyKeyID {
		return &principal{kind: userKey, account: o.accounts[LabAccount], keyID: c.keyID, name: labReadOnlyUser}, nil
	}
	if o.minted(c.keyID) {
		return nil, errInvalidToken()
	}
	p := &principal{kind: userKey, account: o.accounts[ManagementAccount], keyID: c.keyID, name: administrator}
	if strings.HasPrefix(c.keyID, "ASIA") {
		p.kind, p.session = roleSession, "stranger"
	}
	return p, nil
}

func (o *Organization) sessionPrincipal(s session, c credential, now time.Time) (*principal, error) {
	a, ok := o.accounts[s.Account]
	if !ok || s.KeyID != c.keyID {
		return nil, errInvalidToken()
	}
	if now.Unix() >= s.Expires {
		return nil, fail("ExpiredToken", http.StatusForbidden, "The security token included in the request is expired")
	}
	return &principal{kind: s.Kind, account: a, keyID: s.KeyID, name: s.Role, session: s.Name, task: s.Task}, nil
}
