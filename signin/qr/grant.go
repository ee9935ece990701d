package qr

import (
	"context"
	"errors"
	"time"

	"github.com/narthex-matrix/narthex/signin"
)

// GrantOf is a device grant of package signin as [NewDevice.StartGrant] returns it.
// Its expiry is counted from now. Use it together with [TokenAnswerOf].
func GrantOf(deviceID string, g *signin.DeviceGrant, now time.Time) Grant {
	return Grant{
		DeviceID: deviceID, UserCode: g.UserCode,
		VerificationURI: g.VerificationURI, VerificationURIComplete: g.VerificationURIComplete,
		ExpiresIn: g.ExpiresAt.Sub(now),
		Interval:  time.Nanosecond, // WaitDevice keeps to the interval by itself
	}
}

// TokenAnswerOf is what [NewDevice.PollToken] returns when [signin.Client]'s
// WaitDevice has ended with err, or with tokens if that is nil.
func TokenAnswerOf(ctx context.Context, err error) (TokenAnswer, error) {
	switch {
	case err == nil:
		return TokenGranted, nil
	case errors.Is(err, signin.ErrAccessDenied):
		return TokenDenied, err
	case errors.Is(err, signin.ErrExpired):
		return TokenExpired, err
	case ctx.Err() != nil:
		return TokenPending, ErrCancelled
	}
	return TokenRefused, err
}
