package awsroot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// renewal is the middleware's name in the stack.
const renewal = "RootcheckRenew"

// renewing lets a call that AWS refused because its credentials have expired be made once more, with new ones. The SDK's
// cache of credentials goes by this machine's clock and AWS by its own. It is for calls that look: a call that changes
// something is made once, see [once].
func renewing(cfg aws.Config) aws.Config {
	cache, ok := cfg.Credentials.(credentialsCache)
	if !ok {
		return cfg
	}
	r := &renewer{cache: cache}
	cfg = cfg.Copy()
	cfg.APIOptions = append(slices.Clone(cfg.APIOptions), func(s *middleware.Stack) error {
		return s.Finalize.Insert(middleware.FinalizeMiddlewareFunc(renewal, r.handle), "Retry", middleware.Before)
	})
	return cfg
}

// unrenewed takes the renewal out again: its cache is not that of the credentials that are about to be used, or the call
// must not be repeated.
func unrenewed(cfg aws.Config) aws.Config {
	cfg = cfg.Copy()
	cfg.APIOptions = append(slices.Clone(cfg.APIOptions), func(s *middleware.Stack) error {
		if _, there := s.Finalize.Get(renewal); !there {
			return nil
		}
		_, err := s.Finalize.Remove(renewal)
		return err
	})
	return cfg
}

type credentialsCache interface {
	aws.CredentialsProvider
	Invalidate()
}

type renewer struct {
	cache credentialsCache
	mu    sync.Mutex
}

func (r *renewer) handle(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
	used, failed := r.cache.Retrieve(ctx)
	out, metadata, err := next.HandleFinalize(ctx, in)
	if failed != nil || !expired(err) {
		return out, metadata, err
	}
	if rewindable, ok := in.Request.(interface{ RewindStream() error }); ok {
		if rewinding := rewindable.RewindStream(); rewinding != nil {
			return out, metadata, fmt.Errorf("rewind the request: %w", errors.Join(err, rewinding))
		}
	}
	r.drop(ctx, used)
	return next.HandleFinalize(ctx, in)
}

// drop forgets the credentials that expired, unless another call has put new ones in their place.
func (r *renewer) drop(ctx context.Context, used aws.Credentials) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now, err := r.cache.Retrieve(ctx); err == nil && now.AccessKeyID == used.AccessKeyID {
		r.cache.Invalidate()
	}
}

// expired reports whether AWS refused the credentials for their age. The services spell it in two ways.
func expired(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	return api.ErrorCode() == "ExpiredToken" || api.ErrorCode() == "ExpiredTokenException"
}
