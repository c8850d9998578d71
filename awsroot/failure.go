package awsroot

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// gapOf names the cause of a failed call, with the fix that an operator can make. The cause is AWS's own word where there
// is one; what AWS said is kept for the operator's log and never shown in a channel.
func gapOf(err error) posture.Gap {
	g := posture.Gap{Reason: reasonOf(err), Detail: detailOf(err)}
	g.Fix = g.Reason.Fix()
	return g
}

func reasonOf(err error) posture.Reason {
	var api smithy.APIError
	var network net.Error
	var response *smithyhttp.ResponseError
	switch {
	case err == nil:
		return posture.ReasonUnknown
	case throttled(err):
		return posture.ReasonThrottled
	case errors.As(err, &api) && api.ErrorCode() != "":
		return reasonOfCode(api)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.As(err, &network):
		return posture.ReasonNoAnswer
	case errors.As(err, &response):
		return posture.ReasonGarbage
	case strings.Contains(err.Error(), "get credentials"), strings.Contains(err.Error(), "failed to refresh cached credentials"):
		return posture.ReasonNoCredentials
	default:
		return posture.ReasonGarbage
	}
}

func reasonOfCode(api smithy.APIError) posture.Reason {
	said := api.ErrorMessage()
	switch api.ErrorCode() {
	case "AccessDenied", "AccessDeniedException", "UnauthorizedOperation":
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
	case "RegionDisabledException", "RegionDisabled":
		return posture.ReasonRegionDisabled
	case "InvalidClientTokenId", "ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidAccessKeyId":
		return posture.ReasonNoCredentials
	case "AccountNotFoundException":
		return posture.ReasonLeft
	case "ReportInProgress", "CredentialReportNotReadyException", "ReportNotPresent", "CredentialReportNotPresentException":
		return posture.ReasonReportNotReady
	case "InternalFailure", "ServiceUnavailable", "InternalServerException", "ServiceFailure", "InternalError":
		return posture.ReasonNoAnswer
	default:
		return posture.ReasonGarbage
	}
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
	if errors.As(err, &api) && api.ErrorCode() != "" {
		return api.ErrorCode() + ": " + clip(api.ErrorMessage())
	}
	var op *smithy.OperationError
	if errors.As(err, &op) {
		return "no usable answer from " + op.Service() + " to " + op.Operation()
	}
	return "no usable answer"
}

func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() != "" {
		return api.ErrorCode()
	}
	return string(reasonOf(err))
}

func clip(s string) string {
	const most = 300
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
