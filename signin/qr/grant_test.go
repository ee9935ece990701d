package qr

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/signin"
)

func TestTokenAnswers(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	for _, c := range []struct {
		name string
		ctx  context.Context
		err  error
		want TokenAnswer
	}{
		{"granted", t.Context(), nil, TokenGranted},
		{"denied", t.Context(), fmt.Errorf("x: %w", signin.ErrAccessDenied), TokenDenied},
		{"expired", t.Context(), signin.ErrExpired, TokenExpired},
		{"stopped", ended, context.Canceled, TokenPending},
		{"refused", t.Context(), &signin.OAuthError{Code: "invalid_grant", Status: 400}, TokenRefused},
	} {
		got, err := TokenAnswerOf(c.ctx, c.err)
		if got != c.want || (c.name == "stopped") != errors.Is(err, ErrCancelled) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
	now := time.Now()
	g := GrantOf("ABCDEFGHIJ", &signin.DeviceGrant{UserCode: "BBBB-BBBB", ExpiresAt: now.Add(time.Minute)}, now)
	if g.DeviceID != "ABCDEFGHIJ" || g.UserCode != "BBBB-BBBB" || g.ExpiresIn != time.Minute {
		t.Errorf("%+v", g)
	}
}
