package awsroot

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// gapOf names the cause of a failed call, with the fix that an operator can make. The cause is AWS's own word where there
// is one; what AWS said goes into the detail, which is for the operator's eyes, and nothing of it into the fix.
func gapOf(err error) posture.Gap {
	g := posture.Gap{Reason: reasonOf(err), Detail: detailOf(err)}
	if g.Reason == posture.ReasonDenied && throughRole(err) {
		g.Reason = posture.ReasonUnreachableRole
	}
	g.Fix = fixOf(g.Reason, codeOf(err))
	if what, fix := unreached(err); what != "" && g.Reason == posture.ReasonNoAnswer {
		g.Detail += ": " + what
		g.Fix = fix
	}
	return g
}

// unreached is why nobody answered, where waiting for the next check would not help, and what would.
func unreached(err error) (what, fix string) {
	var name *net.DNSError
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &untrusted):
		return "the server's certificate is not trusted", "Where a proxy looks into TLS, name the file of its certificates in AWS_CA_BUNDLE."
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the server refused the connection", "Check AWS_ENDPOINT_URL, and whether the network lets the bot reach AWS."
	case errors.As(err, &name) && name.IsNotFound:
		return "its name has no address", "Check the Region and AWS_ENDPOINT_URL, and whether the network resolves the names of AWS."
	default:
		return "", ""
	}
}

// fixOf is the fix of the code where it is better known than that of its reason.
func fixOf(r posture.Reason, code string) string {
	switch code {
	case "ServiceAccessNotEnabledException":
		return "Enable trusted access for iam.amazonaws.com in the management account."
	case "AccountNotManagementOrDelegatedAdministratorException":
		return "Use an identity of the management account, or make its account IAM's delegated administrator."
	case "OrganizationNotInAllFeaturesModeException":
		return "Enable all features of the organization in the management account."
	case "RequestExpired", "RequestTimeTooSkewed", "SignatureDoesNotMatch":
		return "Set this machine's clock, and check the secret of the access key."
	default:
		return r.Fix()
	}
}

func reasonOf(err error) posture.Reason {
	var api smithy.APIError
	var network net.Error
	var unpaced *unpacedError
	switch {
	case err == nil:
		return posture.ReasonUnknown
	case errors.As(err, &unpaced), throttled(err):
		return posture.ReasonThrottled
	case errors.As(err, &api) && api.ErrorCode() != "" && api.ErrorCode() != unknownCode:
		return reasonOfCode(api, statusCode(err))
	case credentialless(err):
		return posture.ReasonNoCredentials
	case garbled(err):
		return posture.ReasonGarbage
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.As(err, &network):
		return posture.ReasonNoAnswer
	case neverAnswered(err):
		return posture.ReasonNoAnswer
	default:
		return posture.ReasonGarbage
	}
}

// unknownCode is the SDK's word for an error without a code, such as a page of HTML that happens to be XML.
const unknownCode = "UnknownError"

// garbled reports whether something answered that does not speak AWS's protocol.
func garbled(err error) bool {
	var unread *smithy.DeserializationError
	var api smithy.APIError
	return errors.As(err, &unread) || errors.As(err, &api) && api.ErrorCode() == unknownCode || statusCode(err) != 0
}

// neverAnswered reports whether the connection broke before an answer came.
func neverAnswered(err error) bool {
	var sent *smithyhttp.RequestSendError
	return errors.As(err, &sent)
}

// credentialless reports whether the call was never made for want of credentials. A role that could not be assumed because
// STS did not answer is not that.
func credentialless(err error) bool {
	var none *noCredentialsError
	return errors.As(err, &none) && !throughRole(err)
}

// noCredentialsError is that of a call which could not be signed. The SDK has no type for it.
type noCredentialsError struct{ cause error }

func (e *noCredentialsError) Error() string { return "get credentials: " + e.cause.Error() }

func (e *noCredentialsError) Unwrap() error { return e.cause }

// signing tells a failure to get credentials from a failure of the call that they are for.
type signing struct{ *aws.CredentialsCache }

func (s signing) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := s.CredentialsCache.Retrieve(ctx)
	if err != nil {
		return c, &noCredentialsError{cause: err}
	}
	return c, nil
}

// throughRole reports whether it was the role of the call that could not be assumed, and not the call that failed.
func throughRole(err error) bool {
	var op *smithy.OperationError
	for errors.As(err, &op) {
		if op.Service() == "STS" && op.Operation() == "AssumeRole" {
			return true
		}
		err = op.Err
	}
	return false
}

// statusCode is the HTTP status of the answer, 0 where there was none.
func statusCode(err error) int {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.Response != nil && response.Response.Response != nil {
		return response.HTTPStatusCode()
	}
	return 0
}

func reasonOfCode(api smithy.APIError, status int) posture.Reason {
	said := api.ErrorMessage()
	switch api.ErrorCode() {
	case "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AccessDeniedForDependencyException":
		return reasonOfDenial(said)
	case "ServiceAccessNotEnabledException":
		return posture.ReasonTrust
	case "AccountNotManagementOrDelegatedAdministratorException":
		return posture.ReasonDenied
	case "OrganizationNotFoundException", "AWSOrganizationsNotInUseException":
		return posture.ReasonNoOrganization
	case "OrganizationNotInAllFeaturesModeException":
		return posture.ReasonFeatureOff
	case "InvalidAction":
		if strings.Contains(said, "Unknown Operation") {
			return posture.ReasonGlobalEndpoint
		}
		return posture.ReasonGarbage
	case "UnknownOperationException", "SerializationException", "MissingAction":
		return posture.ReasonGarbage
	case "RegionDisabledException", "RegionDisabled":
		return posture.ReasonRegionDisabled
	case "InvalidClientTokenId", "ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException", "SignatureDoesNotMatch",
		"InvalidAccessKeyId", "InvalidSignatureException", "IncompleteSignature", "MissingAuthenticationToken",
		"MissingAuthenticationTokenException", "RequestExpired", "RequestTimeTooSkewed", "OptInRequired":
		return posture.ReasonNoCredentials
	case "AccountNotFoundException", "TargetNotFoundException":
		return posture.ReasonLeft
	case "ReportInProgress", "CredentialReportNotReadyException", "ReportNotPresent", "CredentialReportNotPresentException",
		"ReportExpired", "CredentialReportExpiredException":
		return posture.ReasonReportNotReady
	case "LimitExceeded", "ConcurrentModificationException", "ConcurrentModification", "PolicyChangesInProgressException":
		return posture.ReasonThrottled
	case "InternalFailure", "ServiceUnavailable", "InternalServerException", "ServiceFailure", "InternalError", "ServiceException":
		return posture.ReasonNoAnswer
	}
	if status >= http.StatusInternalServerError {
		return posture.ReasonNoAnswer
	}
	return posture.ReasonUnknown
}

// reasonOfDenial reads AWS's sentence, which is the only place where it says what denied.
func reasonOfDenial(said string) posture.Reason {
	said = strings.ToLower(said)
	switch {
	case strings.Contains(said, "service control policy"):
		return posture.ReasonSCP
	case strings.Contains(said, "root credentials management feature is not enabled"):
		return posture.ReasonFeatureOff
	case strings.Contains(said, "trusted access"):
		return posture.ReasonTrust
	default:
		return posture.ReasonDenied
	}
}

func throttled(err error) bool {
	if err == nil {
		return false
	}
	for _, check := range retry.DefaultThrottles {
		if check.IsErrorThrottle(err).Bool() {
			return true
		}
	}
	return false
}

// detailOf is AWS's code and sentence, or the kind of failure, without addresses and credentials.
func detailOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() != "" && api.ErrorCode() != unknownCode {
		return clip(api.ErrorCode() + ": " + api.ErrorMessage())
	}
	if e, ours := errors.AsType[oddError](err); ours {
		return string(e)
	}
	said := "no usable answer"
	if op, ok := errors.AsType[*smithy.OperationError](err); ok {
		said += " from " + op.Service() + " to " + op.Operation()
	}
	if status := statusCode(err); status != 0 {
		said += " (HTTP status " + strconv.Itoa(status) + ")"
	}
	return said
}

// codeOf is AWS's code, or our own word for what happened in place of an answer.
func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() != "" && api.ErrorCode() != unknownCode {
		return clip(api.ErrorCode())
	}
	return string(reasonOf(err))
}

// clip makes one short line of what came over the wire.
func clip(s string) string {
	const most = 300
	s = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || unicode.In(c, unicode.Cf) {
			return ' '
		}
		return c
	}, s)
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
