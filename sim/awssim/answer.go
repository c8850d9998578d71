package awssim

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"time"
)

// element is a piece of an XML answer.
type element struct {
	name, text string
	children   []element
}

// fields are the members of a JSON answer. A nil answer of a JSON service is an empty body.
type fields map[string]any

func text(name, value string) element { return element{name: name, text: value} }

func group(name string, children ...element) element { return element{name: name, children: children} }

// list is a list as the query protocol writes it, each item a member.
func list(name string, items ...[]element) element {
	l := element{name: name}
	for _, item := range items {
		l.children = append(l.children, group("member", item...))
	}
	return l
}

func truth(name string, value bool) element {
	if value {
		return text(name, "true")
	}
	return text(name, "false")
}

func moment(name string, t time.Time) element { return text(name, t.Format(time.RFC3339)) }

// epoch is a time as the JSON-RPC services write it, in seconds.
func epoch(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func (e element) write(b *bytes.Buffer) {
	b.WriteByte('<')
	b.WriteString(e.name)
	b.WriteByte('>')
	_ = xml.EscapeText(b, []byte(e.text)) // a buffer takes everything
	for _, c := range e.children {
		c.write(b)
	}
	b.WriteString("</")
	b.WriteString(e.name)
	b.WriteByte('>')
}

// answer is what goes back over the wire.
type answer struct {
	status      int
	contentType string
	errorType   string // header of the REST protocol
	body        []byte
}

// xmlns is the namespace of a query service's answers.
func xmlns(service string) string {
	if service == serviceSTS {
		return "https://sts.amazonaws.com/doc/" + versionSTS + "/"
	}
	return "https://iam.amazonaws.com/doc/" + versionIAM + "/"
}

func xmlAnswer(q request, result []element, hasResult bool) answer {
	var b bytes.Buffer
	b.WriteString("<" + q.action + `Response xmlns="` + xmlns(q.service) + `">`)
	if hasResult {
		group(q.action+"Result", result...).write(&b)
	}
	group("ResponseMetadata", text("RequestId", q.id)).write(&b)
	b.WriteString("</" + q.action + "Response>")
	return answer{status: http.StatusOK, contentType: "text/xml", body: b.Bytes()}
}

func jsonAnswer(q request, result fields) answer {
	a := answer{status: http.StatusOK, contentType: "application/x-amz-json-1.1", body: []byte{}}
	if q.protocol == protocolREST {
		a.contentType = "application/json"
	}
	if result == nil {
		return a
	}
	body, err := json.Marshal(result)
	if err != nil {
		return failureAnswer(q, asFailure(err))
	}
	a.body = body
	return a
}

// failureAnswer is the error in the form and the spelling of the service that was called.
func failureAnswer(q request, f *failure) answer {
	if q.protocol == protocolQuery {
		var b bytes.Buffer
		kind := "Sender"
		if f.status >= http.StatusInternalServerError {
			kind = "Receiver"
		}
		b.WriteString(`<ErrorResponse xmlns="` + xmlns(q.service) + `">`)
		group("Error", text("Type", kind), text("Code", f.code), text("Message", f.message)).write(&b)
		text("RequestId", q.id).write(&b)
		b.WriteString("</ErrorResponse>")
		return answer{status: f.status, contentType: "text/xml", body: b.Bytes()}
	}
	code, status := spelling(q.service, f)
	a := answer{status: status}
	body := fields{"message": f.message}
	if q.protocol == protocolREST {
		a.contentType, a.errorType = "application/json", code
	} else {
		a.contentType = "application/x-amz-json-1.1"
		body = fields{"__type": code, "Message": f.message}
		if f.reason != "" {
			body["Reason"] = f.reason
		}
	}
	raw, err := json.Marshal(body)
	if err != nil {
		raw = []byte("{}")
	}
	a.body = raw
	return a
}

func (a answer) send(w http.ResponseWriter, q request, now time.Time) {
	h := w.Header()
	h.Set("Date", now.Format(http.TimeFormat))
	h.Set("Content-Type", a.contentType)
	h.Set("X-Amzn-Requestid", q.id)
	if a.errorType != "" {
		h.Set("X-Amzn-Errortype", a.errorType)
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a caller who went away has no use for the error
}
