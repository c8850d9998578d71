package awssim

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// maxBody is far above any request of these services.
const maxBody = 1 << 20

// operation is one call of a service. Exactly one of query and json is set, by the protocol of its service.
type operation struct {
	query    func(*call) ([]element, error)
	json     func(*call) (fields, error)
	resource func(*call) string // what policies are asked about; nil is "*"
	bare     bool               // its answer has no result element
	free     bool               // no permission is needed and none can be taken away
}

// Mount puts the API at a prefix such as "/aws" and the control API where it belongs. The prefix is served with and
// without a slash at its end: some clients (botocore) send calls to the endpoint as it is written, and follow no redirect.
func (o *Organization) Mount(mux *http.ServeMux, prefix string) {
	prefix = strings.TrimSuffix(prefix, "/")
	api := http.StripPrefix(prefix, o.API())
	if prefix != "" {
		mux.Handle(prefix, api)
	}
	mux.Handle(prefix+"/", api)
	mux.Handle("/control/aws/", o.Control())
}

// API answers the calls of all services at whatever path it is mounted, with the mount point stripped.
func (o *Organization) API() http.Handler { return http.HandlerFunc(o.serveAPI) }

func (o *Organization) serveAPI(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the request could not be read", http.StatusRequestEntityTooLarge)
		return
	}
	q := readRequest(r, body)
	if !o.wait(r.Context(), o.config.Latency) {
		return
	}
	a, s := o.answer(&q)
	if !o.wait(r.Context(), s.hang) {
		return
	}
	switch {
	case s.drop:
		o.drop(w)
	case s.status != 0:
		rubbish(w, s)
	default:
		a.send(w, q, o.now())
	}
}

// drop closes the connection without an answer, as a network would.
func (o *Organization) drop(w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		w.WriteHeader(http.StatusBadGateway) // HTTP/2 cannot be hijacked
		return
	}
	if err := c.Close(); err != nil {
		o.log.Debug("close a dropped connection", "error", err)
	}
}

// rubbish is what no AWS service sends, but what stands between a client and AWS does.
func rubbish(w http.ResponseWriter, s spoil) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(s.status)
	_, _ = io.WriteString(w, s.body)
}

// answer decides a call. It holds the lock, so it never waits.
func (o *Organization) answer(q *request) (answer, spoil) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now()
	o.expireFaults(now)
	o.requests++
	q.id = fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", uint32(now.Unix()), o.requests>>32&0xffff, o.config.Seed&0xfff, o.requests>>20&0xfff, o.requests&0xfffffffffff) //nolint:gosec // an id, not a number
	c := &call{o: o, request: *q}
	op, err := o.admit(c, now)
	s, ruled := spoil{}, false
	if err == nil {
		s, ruled, err = o.spoil(c)
	}
	var a answer
	if err == nil && !ruled {
		a, err = o.perform(c, op)
	}
	if err != nil {
		a = failureAnswer(*q, asFailure(err))
	}
	o.note(c, now, err, s)
	return a, s
}

// admit finds the operation and the caller. A root key that signs is used by that, whatever the call comes to: AWS does
// not document that a denied request is no use.
func (o *Organization) admit(c *call, now time.Time) (operation, error) {
	if !c.signed {
		return operation{}, fail("MissingAuthenticationToken", http.StatusForbidden, "Request is missing Authentication Token")
	}
	p, err := o.authenticate(c.credential, now)
	if err != nil {
		return operation{}, err
	}
	c.principal = p
	if p.key != nil {
		p.key.used, p.key.usedService, p.key.usedRegion = now, c.credential.service, c.credential.region
	}
	c.target = o.concerned(c)
	if c.malformed {
		return operation{}, fail("SerializationException", http.StatusBadRequest, "The request body is not valid JSON.")
	}
	return o.find(c.request)
}

func (o *Organization) find(q request) (operation, error) {
	op, ok := o.operations[q.service][q.action]
	if q.protocol != protocolQuery {
		if !ok {
			return op, fail("UnknownOperationException", jsonStatus(q.service, http.StatusNotFound), "No operation %q is known.", q.action)
		}
		return op, nil
	}
	want := map[string]string{serviceIAM: versionIAM, serviceSTS: versionSTS}[q.service]
	switch {
	case q.action == "":
		return op, fail("MissingAction", http.StatusBadRequest, "The request must contain the parameter Action.")
	case q.service == serviceSTS && q.credential.region == "aws-global" && q.action == "AssumeRoot":
		return op, fail("InvalidAction", http.StatusBadRequest, "Unknown Operation")
	case !ok || op.query == nil || q.version != want:
		return op, fail("InvalidAction", http.StatusBadRequest, "Could not find operation %s for version %s", q.action, q.version)
	default:
		return op, nil
	}
}

// perform asks the policies and then does it.
func (o *Organization) perform(c *call, op operation) (answer, error) {
	if c.kind == rootTempKey && c.service == serviceIAM {
		return answer{}, errInvalidToken()
	}
	if !op.free {
		resource := "*"
		if op.resource != nil {
			resource = op.resource(c)
		}
		if err := o.authorize(c.principal, c.service+":"+c.action, resource); err != nil {
			return answer{}, err
		}
	}
	if op.query != nil {
		result, err := op.query(c)
		if err != nil {
			return answer{}, err
		}
		return xmlAnswer(c.request, result, !op.bare), nil
	}
	result, err := op.json(c)
	if err != nil {
		return answer{}, err
	}
	return jsonAnswer(c.request, result), nil
}

// concerned is the account that a call is about: the one it names, or else the caller's.
func (o *Organization) concerned(c *call) string {
	for _, name := range []string{"TargetPrincipal", "RoleArn", "AccountId", "TargetId", "ResourceId"} {
		v := c.str(name)
		if parts := strings.Split(v, ":"); len(parts) == 6 {
			v = parts[4]
		}
		if _, ok := o.accounts[v]; ok {
			return v
		}
	}
	return c.account.id
}

// table is every operation of every service.
func (o *Organization) table() map[string]map[string]operation {
	return map[string]map[string]operation{
		serviceSTS:     stsOperations(),
		serviceIAM:     iamOperations(),
		serviceOrgs:    organizationsOperations(),
		serviceAccount: accountOperations(),
		serviceTrail:   {"LookupEvents": {json: lookupEvents}},
	}
}
