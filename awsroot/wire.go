package awsroot

import (
	"bytes"
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/rootcheck-bot/rootcheck/posture"
)

// This file holds what an answer must be like before anybody relies on it. The SDK takes whatever comes: a body of any
// length, pages without end, and a flag without a value for a flag that is 0. The rules are:
//   - No answer is read beyond what AWS's longest has, also where it was compressed.
//   - A flag of the account summary is a number that fits, told once. An empty one is no zero.
//   - A list that does not end is no list.
//   - What is told of another account tells nothing.
//   - A text or a date is one that can be kept.

const (
	// The longest answers that are read whole. What is asked of many members at once has a few kilobytes. A credential report
	// has a few hundred bytes for each of thousands of users, a page of the event history fifty events, and a server that
	// is not AWS may list all of its accounts on one page.
	longAnswer, shortAnswer = 32 << 20, 256 << 10
	// What AWS lists of one root user, policies of one target or tags of one account fits on a page or two, and its lists of
	// accounts have no hundred pages in a row without one that is new.
	mostPages = 100
	// An organization has a few thousand units at most, and the largest ones some ten thousands of accounts.
	mostUnits, mostAccounts = 20_000, 500_000
	// AWS lets a root user have two access keys, two certificates and eight MFA devices.
	mostListed = 16
	// AWS lets an account have fifty tags.
	mostTags = 200
	// No text of AWS's that is kept is longer, in characters. The path of an organizational unit is the longest.
	mostText = 500
)

// oddError is an answer that cannot be AWS's, in our own words.
type oddError string

func (e oddError) Error() string { return string(e) }

const (
	errTooLong oddError = "the answer is longer than any of AWS"
	errNoList  oddError = "the answer has no list in it, not even an empty one"
	errEndless oddError = "the pages of the answer do not end"
	errNoUse   oddError = "the answer to GetAccessKeyLastUsed says nothing of the key"
	errMany    oddError = "the answer lists more than a root user can have"
	errOddFlag oddError = "the account summary has a flag without a number, or with two"
)

// guard looks at each answer before the SDK does.
func guard(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("RootcheckGuard", func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		answer, ok := out.RawResponse.(*smithyhttp.Response)
		if !ok || answer.Response == nil || answer.Body == nil {
			return out, metadata, err
		}
		operation, most := awsmiddleware.GetOperationName(ctx), int64(longAnswer)
		if service := awsmiddleware.GetServiceID(ctx); (service == "IAM" || service == "STS") && operation != "GetCredentialReport" {
			most = shortAnswer
		}
		answer.Body = &bounded{ReadCloser: answer.Body, left: most}
		if err == nil && operation == "GetAccountSummary" && answer.StatusCode == http.StatusOK {
			err = guardSummary(answer)
		}
		return out, metadata, err
	}), middleware.After)
}

// bounded is a body that ends with an error where it is too long.
type bounded struct {
	io.ReadCloser

	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, errTooLong
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooLong
	}
	return n, err
}

// guardSummary reads the flags of an account summary as they were written. The SDK makes zeros of numbers that are empty
// and of those that are too large, and takes the last of several; a zero would pass.
func guardSummary(answer *smithyhttp.Response) error {
	whole, err := io.ReadAll(answer.Body)
	if err != nil {
		return &smithy.DeserializationError{Err: err}
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{bytes.NewReader(whole), answer.Body}
	if plainSummary(whole) {
		return nil
	}
	var summary struct {
		Entries []struct {
			Keys   []string `xml:"key"`
			Values []string `xml:"value"`
		} `xml:"GetAccountSummaryResult>SummaryMap>entry"`
	}
	if err := xml.Unmarshal(whole, &summary); err != nil {
		return nil //nolint:nilerr // The SDK says better what is wrong with it.
	}
	told := map[string]string{}
	for _, e := range summary.Entries {
		if !slices.ContainsFunc(e.Keys, func(k string) bool { return strings.HasPrefix(k, "Account") }) {
			continue
		}
		if len(e.Keys) != 1 || len(e.Values) != 1 {
			return &smithy.DeserializationError{Err: errOddFlag}
		}
		key, value := e.Keys[0], e.Values[0]
		before, twice := told[key]
		if _, err := strconv.ParseInt(value, 10, 32); err != nil || twice && before != value {
			return &smithy.DeserializationError{Err: errOddFlag}
		}
		told[key] = value
	}
	return nil
}

// plainSummary reports whether every flag stands once, with its number, in the form that AWS writes. It spares an XML
// decoder for each account.
func plainSummary(whole []byte) bool {
	if bytes.IndexByte(whole, '&') >= 0 || bytes.Contains(whole, []byte("<!")) {
		return false // A name may hide in an entity or a section.
	}
	const space = " \t\r\n"
	names := make([]string, 0, 8)
	for {
		i := bytes.Index(whole, []byte(">Account"))
		if i < 0 {
			return true
		}
		before, begins := bytes.CutSuffix(whole[:i+1], []byte("<key>"))
		name, after, ends := bytes.Cut(whole[i+1:], []byte("</key>"))
		value, valued := bytes.CutPrefix(bytes.TrimLeft(after, space), []byte("<value>"))
		number, rest, closed := bytes.Cut(value, []byte("</value>"))
		_, err := strconv.ParseInt(string(number), 10, 32)
		whole = bytes.TrimLeft(rest, space)
		entry := bytes.HasSuffix(bytes.TrimRight(before, space), []byte("<entry>")) && bytes.HasPrefix(whole, []byte("</entry>"))
		if !begins || !ends || !valued || !closed || err != nil || !entry || slices.Contains(names, string(name)) {
			return false
		}
		names = append(names, string(name))
	}
}

// paged is one of the SDK's paginators.
type paged[Page, Options any] interface {
	HasMorePages() bool
	NextPage(context.Context, ...func(*Options)) (*Page, error)
}

// turned hands over the pages of a list one by one, and gives up where they do not end.
func turned[Page, Options any](ctx context.Context, pages paged[Page, Options], each func(*Page) error) error {
	for n := 0; pages.HasMorePages(); n++ {
		if n == mostPages {
			return errEndless
		}
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		if err := each(page); err != nil {
			return err
		}
	}
	return nil
}

// given is the error of a page without its list, or with which there are more than a root user can have. AWS sends an empty
// list where there is nothing; no list at all would read as "no key".
func given[T any](list []T, soFar int) error {
	switch {
	case list == nil:
		return errNoList
	case soFar > mostListed:
		return errMany
	default:
		return nil
	}
}

// odd is an answer that makes no sense, as a gap.
func odd(detail string) posture.Gap {
	return posture.Gap{Reason: posture.ReasonGarbage, Detail: detail, Fix: posture.ReasonGarbage.Fix()}
}

// rootOf reports whether an ARN is the root user's of this account: arn:<partition>:iam::<account>:root.
func rootOf(account posture.AccountID, s string) bool {
	a, err := arn.Parse(s)
	return err == nil && a.Service == "iam" && a.Resource == "root" && a.AccountID == string(account)
}

// text is a text of AWS's at a length that can be kept.
func text(told *string) string {
	s := aws.ToString(told)
	if len(s) <= mostText {
		return s
	}
	n := 0
	for i := range s {
		if n == mostText {
			return s[:i]
		}
		n++
	}
	return s
}

// dated is a date of AWS's as it can be kept: JSON holds four digits of a year, and a time zone may turn the last of them
// into a fifth. One that cannot be is the first or the last that can. It is zero only where there was no date, because zero
// means never.
func dated(told *time.Time) time.Time {
	first, last := time.Unix(1, 0).UTC(), time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC)
	switch {
	case told == nil:
		return time.Time{}
	case told.Before(first):
		return first
	case told.After(last):
		return last
	default:
		return told.UTC()
	}
}
