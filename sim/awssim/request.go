package awssim

import (
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// The services, by the names that requests are signed for.
const (
	serviceIAM     = "iam"
	serviceSTS     = "sts"
	serviceOrgs    = "organizations"
	serviceAccount = "account"
	serviceTrail   = "cloudtrail"
)

const (
	versionIAM = "2010-05-08"
	versionSTS = "2011-06-15"
)

// protocol is the form in which a service speaks.
type protocol int

const (
	protocolQuery protocol = iota // form in, XML out: IAM and STS
	protocolJSON                  // JSON-RPC by X-Amz-Target: Organizations and CloudTrail
	protocolREST                  // JSON by path: Account Management
)

// request is a call as it came over the wire, before anybody knows who made it.
type request struct {
	id         string
	protocol   protocol
	service    string
	action     string
	version    string
	form       url.Values
	input      map[string]any
	malformed  bool // the body is not what its protocol says
	signed     bool
	credential credential
}

// readRequest finds out what is called. All services share one endpoint, so the signature's scope decides, then the
// target header, the path and the version.
func readRequest(r *http.Request, body []byte) request {
	q := request{}
	q.credential, q.signed = readCredential(r)
	q.service = q.credential.service
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		q.protocol = protocolJSON
		q.readTarget(target)
		q.readJSON(body)
		return q
	}
	q.form = readForm(r, body)
	if q.form.Get("Action") == "" && (q.service == serviceAccount || knownPath(path.Base(r.URL.Path))) {
		q.protocol, q.service = protocolREST, serviceAccount
		name := strings.Trim(path.Base(r.URL.Path), "/.")
		if name != "" {
			q.action = strings.ToUpper(name[:1]) + name[1:]
		}
		q.readJSON(body)
		return q
	}
	if q.service == serviceOrgs || q.service == serviceTrail {
		q.protocol = protocolJSON
		return q
	}
	q.action, q.version = q.form.Get("Action"), q.form.Get("Version")
	if q.service == "" {
		q.service = map[string]string{versionIAM: serviceIAM, versionSTS: serviceSTS}[q.version]
	}
	return q
}

func (q *request) readTarget(target string) {
	service, action, _ := strings.Cut(target, ".")
	if i := strings.LastIndexByte(target, '.'); i >= 0 {
		service, action = target[:i], target[i+1:]
	}
	q.action = action
	switch {
	case strings.HasPrefix(service, "AWSOrganizationsV"):
		q.service = serviceOrgs
	case strings.Contains(service, "CloudTrail_"):
		q.service = serviceTrail
	}
}

func (q *request) readJSON(body []byte) {
	q.input = map[string]any{}
	if len(body) > 0 && json.Unmarshal(body, &q.input) != nil {
		q.malformed = true
	}
}

func readForm(r *http.Request, body []byte) url.Values {
	form := r.URL.Query()
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return form
	}
	posted, err := url.ParseQuery(string(body))
	if err != nil {
		return form
	}
	for name, values := range posted {
		form[name] = append(values, form[name]...)
	}
	return form
}

func knownPath(name string) bool {
	return slices.Contains([]string{"getAlternateContact", "getPrimaryEmail", "getAccountInformation"}, name)
}

// call is a request of a known caller, as the operations see it.
type call struct {
	o *Organization
	request
	*principal
	effect bool   // set by an operation that changed something
	target string // the account that is concerned, when it is not the caller's
}

// str is a parameter, empty when it is missing or not a string.
func (c *call) str(name string) string {
	if c.input != nil {
		s, ok := c.input[name].(string)
		if !ok {
			return ""
		}
		return s
	}
	return c.form.Get(name)
}

// number is a parameter, def when it is missing; false when it is not a whole number.
func (c *call) number(name string, def int) (int, bool) {
	if c.input != nil {
		switch n := c.input[name].(type) {
		case nil:
			return def, true
		case float64:
			return int(n), n == float64(int(n))
		default:
			return 0, false
		}
	}
	if !c.form.Has(name) {
		return def, true
	}
	n, err := strconv.Atoi(c.form.Get(name))
	return n, err == nil
}

// page cuts one page out of a list for a call with a token and a limit, and returns the next token.
func page[T any](list []T, token string, size int) (part []T, next string, ok bool) {
	from := 0
	if token != "" {
		n, err := strconv.Atoi(strings.TrimPrefix(token, "next-"))
		if err != nil || n < 0 || n > len(list) {
			return nil, "", false
		}
		from = n
	}
	to := min(from+size, len(list))
	if to < len(list) {
		next = "next-" + strconv.Itoa(to)
	}
	return list[from:to], next, true
}
