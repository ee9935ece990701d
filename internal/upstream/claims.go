package upstream

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/oauth2"

	"github.com/narthex-matrix/narthex/internal/config"
)

// Person is what a provider says of somebody. All but the first two may be empty.
type Person struct {
	Provider    string `json:"provider"` // its ID
	Subject     string `json:"subject"`  // never given to anybody else there
	Label       string `json:"label"`    // what the provider calls them, for their own eyes
	Localpart   string `json:"localpart"`
	DisplayName string `json:"displayname"`
	Email       string `json:"email"`   // only one that the provider says that it verified
	Session     string `json:"session"` // as in the Arrival
	Next        string `json:"next"`    // likewise
}

// claims are what a provider says of a person. Numbers without a fraction are int64,
// so that a template writes them as people do.
type claims map[string]any

func claimsOf(token interface{ Claims(any) error }) (claims, error) {
	said := claims{}
	if err := token.Claims(&said); err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	for name, value := range said {
		if n, ok := value.(float64); ok && n == math.Trunc(n) && math.Abs(n) < 1<<53 {
			said[name] = int64(n)
		}
	}
	return said, nil
}

// complete adds what the userinfo endpoint says, where the ID token says nothing
// (OpenID Connect Core 1.0, section 5.3.2).
func (c claims) complete(ctx context.Context, d *discovered, tokens *oauth2.Token, subject string) error {
	info, err := d.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil {
		var network *url.Error
		if errors.As(err, &network) {
			return fmt.Errorf("userinfo: %w", err)
		}
		return errors.New("userinfo: the endpoint did not answer as it should")
	}
	if info.Subject != subject {
		return errors.New("userinfo: the answer is about somebody else")
	}
	more, err := claimsOf(info)
	if err != nil {
		return err
	}
	for name, value := range more {
		if _, there := c[name]; !there {
			c[name] = value
		}
	}
	return nil
}

// text gives a claim that is a text, or a whole number.
func (c claims) text(name string) string {
	switch v := c[name].(type) {
	case string:
		return v
	case int64:
		return fmt.Sprint(v)
	}
	return ""
}

func (c claims) time(name string) time.Time {
	if n, ok := c[name].(int64); ok && n > 0 {
		return time.Unix(n, 0)
	}
	return time.Time{}
}

// meet reports whether every requirement holds.
func (c claims) meet(needs []config.Requirement) bool {
	for _, need := range needs {
		if !c.has(need) {
			return false
		}
	}
	return true
}

func (c claims) has(need config.Requirement) bool {
	value, there := c[need.Claim]
	if !need.Contains {
		return there && fmt.Sprint(value) == need.Value
	}
	list, _ := value.([]any)
	for _, item := range list {
		if fmt.Sprint(item) == need.Value {
			return true
		}
	}
	return false
}

const (
	maxSubject = 255 // bytes; OpenID Connect Core 1.0, section 2
	maxText    = 255 // bytes of what else is kept
)

// person reads the claims. Only the subject has to be there.
func (p *provider) person(said claims) (Person, error) {
	out := Person{Provider: p.ID, Subject: said.text(p.SubjectClaim)}
	if out.Subject == "" || len(out.Subject) > maxSubject {
		return out, fmt.Errorf("the claim %q is missing, too long, or neither a text nor a whole number", p.SubjectClaim)
	}
	out.Localpart, out.DisplayName = p.fill("localpart", said), p.fill("displayname", said)
	if email := p.fill("email", said); said.verified(email) {
		out.Email = email
	}
	for _, name := range []string{"email", "preferred_username", "name"} {
		if out.Label = cut(said.text(name)); out.Label != "" {
			return out, nil
		}
	}
	out.Label = cut(out.Subject)
	return out, nil
}

// fill gives what a template makes of the claims; nothing if one of them is missing.
func (p *provider) fill(name string, said claims) string {
	var b strings.Builder
	if err := p.texts[name].Execute(&b, map[string]any(said)); err != nil {
		return ""
	}
	return cut(strings.TrimSpace(b.String()))
}

// verified reports whether the provider says that it has verified this address: the
// claim is about the claim "email", and not about what a template makes of others.
func (c claims) verified(email string) bool {
	return email != "" && strings.EqualFold(email, c.text("email")) && (c["email_verified"] == true || c["email_verified"] == "true")
}

func cut(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	for len(text) > maxText {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}
