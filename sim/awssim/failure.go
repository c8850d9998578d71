package awssim

import (
	"errors"
	"fmt"
	"net/http"
)

// failure is an error that a service answers. Its code and status are those of the query protocol; the other protocols
// spell some of them differently.
type failure struct {
	code    string
	status  int
	message string
	reason  string // of Organizations' constraint violations and invalid inputs
}

func (f *failure) Error() string { return f.code + ": " + f.message }

func fail(code string, status int, format string, args ...any) error {
	return &failure{code: code, status: status, message: fmt.Sprintf(format, args...)}
}

// asFailure returns the error as one that can be answered; what is not one is the simulator's own fault.
func asFailure(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	return &failure{code: "InternalFailure", status: http.StatusInternalServerError, message: err.Error()}
}

func errInvalidToken() error {
	return fail("InvalidClientTokenId", http.StatusForbidden, "The security token included in the request is invalid.")
}

func errValidation(format string, args ...any) error {
	return fail("ValidationError", http.StatusBadRequest, format, args...)
}

func errNoSuchEntity(format string, args ...any) error {
	return fail("NoSuchEntity", http.StatusNotFound, format, args...)
}

func errThrottled() error { return fail("Throttling", http.StatusBadRequest, "Rate exceeded") }

func errDenied(format string, args ...any) error {
	return fail("AccessDenied", http.StatusForbidden, format, args...)
}

func deniedBecause(p *principal, action, resource, because string) error {
	text := "User: " + p.arn() + " is not authorized to perform: " + action
	if resource != "" && resource != "*" {
		text += " on resource: " + resource
	}
	if because != "" {
		text += " " + because
	}
	return errDenied("%s", text)
}

// spelling is how a protocol of JSON calls an error that all services share.
func spelling(service string, f *failure) (string, int) {
	switch f.code {
	case "AccessDenied":
		return "AccessDeniedException", jsonStatus(service, http.StatusForbidden)
	case "InvalidClientTokenId":
		return "UnrecognizedClientException", jsonStatus(service, http.StatusForbidden)
	case "ExpiredToken":
		return "ExpiredTokenException", jsonStatus(service, http.StatusForbidden)
	case "MissingAuthenticationToken":
		return "MissingAuthenticationTokenException", jsonStatus(service, http.StatusForbidden)
	case "ValidationError":
		return "ValidationException", http.StatusBadRequest
	case "Throttling":
		if service == serviceTrail {
			return "ThrottlingException", http.StatusBadRequest
		}
		return "TooManyRequestsException", jsonStatus(service, http.StatusTooManyRequests)
	default:
		return f.code, f.status
	}
}

// jsonStatus is 400 for the JSON-RPC services, which have no other status for what the caller did wrong.
func jsonStatus(service string, rest int) int {
	if service == serviceAccount {
		return rest
	}
	return http.StatusBadRequest
}
