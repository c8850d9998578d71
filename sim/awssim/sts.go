package awssim

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The longest and the shortest session that AssumeRoot mints
// (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoot.html). Zero means the longest.
const longestRootSession = 900

// The features of centralized root access, by their names in IAM's API.
const (
	featureSessions    = "RootSessions"
	featureCredentials = "RootCredentialsManagement"
)

func stsOperations() map[string]operation {
	return map[string]operation{
		"AssumeRoot":        {query: assumeRoot, resource: func(c *call) string { return c.str("TargetPrincipal") }},
		"AssumeRole":        {query: assumeRole, resource: func(c *call) string { return c.str("RoleArn") }},
		"GetCallerIdentity": {query: getCallerIdentity, free: true},
		"GetAccessKeyInfo":  {query: getAccessKeyInfo},
		"GetSessionToken":   {query: getSessionToken},
	}
}

func getCallerIdentity(c *call) ([]element, error) {
	return []element{text("Arn", c.arn()), text("UserId", c.userID()), text("Account", c.account.id)}, nil
}

func getAccessKeyInfo(c *call) ([]element, error) {
	id := c.str("AccessKeyId")
	if len(id) < 16 {
		return nil, errValidation("1 validation error detected: Value '%s' at 'accessKeyId' failed to satisfy constraint: Member must have length greater than or equal to 16", id)
	}
	if k, ok := c.o.keys[id]; ok {
		return []element{text("Account", k.account.id)}, nil
	}
	a, ok := accountOf(id)
	if !ok {
		return nil, errValidation("Invalid access key id: %s", id)
	}
	return []element{text("Account", a)}, nil
}

func getSessionToken(c *call) ([]element, error) {
	s := session{Kind: c.kind, Account: c.account.id, Role: c.name}
	lifetime, longest := 12*time.Hour, 36*time.Hour
	switch c.kind {
	case userKey:
	case rootUserKey:
		s.Kind, lifetime, longest = rootTempKey, time.Hour, time.Hour
	case roleSession, rootSession, rootTempKey:
		return nil, errDenied("Cannot call GetSessionToken with session credentials")
	}
	seconds, ok := c.number("DurationSeconds", int(lifetime/time.Second))
	if !ok || seconds < 900 {
		return nil, errValidation("DurationSeconds must be at least 900.")
	}
	return c.mint(s, min(time.Duration(seconds)*time.Second, longest))
}

// mint returns the credentials of a new session.
func (c *call) mint(s session, lifetime time.Duration) ([]element, error) {
	expires := c.o.now().Add(lifetime)
	s.KeyID, s.Expires = c.o.mintID("ASIA", s.Account), expires.Unix()
	token, err := c.o.seal(s)
	if err != nil {
		return nil, err
	}
	return []element{group("Credentials",
		text("AccessKeyId", s.KeyID),
		text("SecretAccessKey", c.o.secretFor(s.KeyID)),
		text("SessionToken", token),
		moment("Expiration", expires),
	)}, nil
}

// assumeRole lets any caller but a root user into a role of any name; roles here may do everything, so what matters of
// one is its account.
func assumeRole(c *call) ([]element, error) {
	arn, name := c.str("RoleArn"), c.str("RoleSessionName")
	parts := strings.Split(arn, ":")
	if len(parts) != 6 || parts[2] != "iam" || !strings.HasPrefix(parts[5], "role/") {
		return nil, errValidation("%s is invalid", arn)
	}
	if len(name) < 2 {
		return nil, errValidation("1 validation error detected: Value '%s' at 'roleSessionName' failed to satisfy constraint: Member must have length greater than or equal to 2", name)
	}
	seconds, ok := c.number("DurationSeconds", 3600)
	if !ok || seconds < 900 || seconds > 43200 {
		return nil, errValidation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	if c.isRoot() {
		return nil, errDenied("Roles may not be assumed by root accounts.")
	}
	a, ok := c.o.accounts[parts[4]]
	if !ok || a.denies || a.state != stateActive {
		return nil, deniedBecause(c.principal, "sts:AssumeRole", arn, "")
	}
	role := parts[5][strings.LastIndexByte(parts[5], '/')+1:]
	result, err := c.mint(session{Kind: roleSession, Account: a.id, Role: role, Name: name}, time.Duration(seconds)*time.Second)
	if err != nil {
		return nil, err
	}
	return append(result,
		group("AssumedRoleUser",
			text("AssumedRoleId", "AROA"+strings.Repeat("Q", 4)+a.id+":"+name),
			text("Arn", "arn:aws:sts::"+a.id+":assumed-role/"+role+"/"+name)),
		text("PackedPolicySize", "0")), nil
}

func assumeRoot(c *call) ([]element, error) {
	target, task := c.str("TargetPrincipal"), strings.TrimPrefix(c.str("TaskPolicyArn.arn"), taskPolicyPrefix)
	seconds, ok := c.number("DurationSeconds", longestRootSession)
	if !ok || seconds < 0 || seconds > longestRootSession {
		return nil, errValidation("1 validation error detected: Value '%s' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or equal to %d",
			c.str("DurationSeconds"), longestRootSession)
	}
	if seconds == 0 {
		seconds = longestRootSession
	}
	id, ok := rootTarget(target)
	if !ok {
		return nil, errValidation("1 validation error detected: Value '%s' at 'targetPrincipal' failed to satisfy constraint: must be an account id or the ARN of a root user", target)
	}
	if _, known := taskDocument(task); !known || !strings.HasPrefix(c.str("TaskPolicyArn.arn"), taskPolicyPrefix) {
		return nil, errValidation("Request must contain valid AWS managed task policy ARN")
	}
	if err := c.mayAssumeRoot(id, task); err != nil {
		return nil, err
	}
	if c.o.assumeRoot != nil && !c.o.assumeRoot.Allow() {
		return nil, errThrottled()
	}
	result, err := c.mint(session{Kind: rootSession, Account: id, Task: task}, time.Duration(seconds)*time.Second)
	if err != nil {
		return nil, err
	}
	return append(result, text("SessionTokenSize", strconv.Itoa(900)), text("SessionTokenUtilization", "21")), nil
}

// rootTarget reads an account id out of a target principal.
func rootTarget(target string) (string, bool) {
	if after, ok := strings.CutPrefix(target, "arn:aws:iam::"); ok {
		target, ok = strings.CutSuffix(after, ":root")
		if !ok {
			return "", false
		}
	}
	digits := len(target) == 12 && strings.Trim(target, "0123456789") == ""
	return target, digits
}

// mayAssumeRoot holds what AWS asks of the caller, of the organization and of the target
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_root-user-privileged-task.html).
func (c *call) mayAssumeRoot(id, task string) error {
	o := c.o
	denied := deniedBecause(c.principal, "sts:AssumeRoot", "arn:aws:iam::"+id+":root", "")
	if c.isRoot() || !c.account.management && !o.delegated[c.account.id] {
		return denied
	}
	feature, message := featureCredentials, "Root credentials management feature is not enabled for your AWS Organization."
	if slices.Contains([]string{taskBucket, taskQueue}, task) {
		feature, message = featureSessions, "Root sessions feature is not enabled for your AWS Organization."
	}
	if !o.trusted["iam.amazonaws.com"] || !o.features[feature] {
		return fail("AccessDenied", http.StatusForbidden, "%s", message)
	}
	a, ok := o.accounts[id]
	if !ok || !a.member || a.management || a.denies || a.state != stateActive {
		return denied
	}
	return nil
}
