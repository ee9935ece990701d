package secret_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/secret"
)

func TestTokens(t *testing.T) {
	token := secret.New(secret.AccessToken)
	if !secret.Plausible(secret.AccessToken, token) {
		t.Errorf("%s is not plausible", token)
	}
	if other := secret.New(secret.AccessToken); other == token {
		t.Error("two tokens are equal")
	}
	for name, wrong := range map[string]string{
		"another kind": secret.New(secret.RefreshToken),
		"truncated":    token[:len(token)-1],
		"longer":       token + "A",
		"one changed":  flip(token, len(token)/2),
		"empty":        "",
		"prefix only":  string(secret.AccessToken),
	} {
		if secret.Plausible(secret.AccessToken, wrong) {
			t.Errorf("%s: %q is plausible", name, wrong)
		}
	}
	if string(secret.Hash(token)) == string(secret.Hash(flip(token, 9))) || len(secret.Hash(token)) != 32 {
		t.Error("Hash")
	}
	if !secret.Equal("a", "a") || secret.Equal("a", "b") || secret.Equal("a", "aa") {
		t.Error("Equal")
	}
	if s := secret.Letters(200, "ab"); strings.Trim(s, "ab") != "" || len(s) != 200 || !strings.Contains(s, "a") || !strings.Contains(s, "b") {
		t.Errorf("Letters: %s", s)
	}
}

func flip(s string, i int) string {
	c := byte('A')
	if s[i] == c {
		c = 'B'
	}
	return s[:i] + string(c) + s[i+1:]
}

func TestPasswords(t *testing.T) {
	p := secret.NewPasswords(secret.Cheap, 2)
	hash, err := p.Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := p.Hash(t.Context(), "correct horse"); again == hash {
		t.Error("two hashes of one password are equal")
	}
	for _, c := range []struct {
		password, hash string
		want           bool
	}{
		{"correct horse", hash, true},
		{"correct horse ", hash, false},
		{"", hash, false},
		{"correct horse", "", false}, // an unknown account
		{"", "", false},
	} {
		if got, err := p.Check(t.Context(), c.password, c.hash); err != nil || got != c.want {
			t.Errorf("Check(%q, %q): got %v %v, want %v", c.password, c.hash, got, err, c.want)
		}
	}
	// A hash made at another cost is still checked at its own.
	if ok, err := secret.NewPasswords(secret.Strong, 1).Check(t.Context(), "correct horse", hash); err != nil || !ok {
		t.Errorf("at another cost: got %v %v", ok, err)
	}
	for _, broken := range []string{"x", "$argon2id$v=19$m=x$a$b", "$argon2id$v=19$m=64,t=1,p=1$!$b", "$argon2id$v=19$m=64,t=1,p=1$YQ$!"} {
		if _, err := p.Check(t.Context(), "x", broken); err == nil {
			t.Errorf("%q was accepted", broken)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	full := secret.NewPasswords(secret.Cheap, 1)
	if _, err := full.Hash(ctx, "x"); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestAFloodOfPasswordsIsTurnedAwayAtOnce asks for more hashes at once than may wait.
func TestAFloodOfPasswordsIsTurnedAwayAtOnce(t *testing.T) {
	p := secret.NewPasswords(secret.Strong, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const flood = 2000
	failures := make(chan error, flood)
	for range flood {
		go func() {
			_, err := p.Hash(ctx, "correct horse")
			failures <- err
		}()
	}
	refused := 0
	for range flood {
		switch err := <-failures; {
		case errors.Is(err, errcode.Overloaded):
			refused++
			cancel() // it is enough
		case err != nil && !errors.Is(err, context.Canceled):
			t.Error(err)
		}
	}
	if refused == 0 {
		t.Error("nobody was refused")
	}
	if _, err := p.Hash(t.Context(), "correct horse"); err != nil {
		t.Errorf("after the flood: %v", err)
	}
}
