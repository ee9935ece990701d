package browsertest

import (
	"context"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// Authenticator is what keeps a person's passkeys, such as the device itself: the
// browser asks it, and it always agrees.
type Authenticator struct {
	b  *Browser
	id webauthn.AuthenticatorID
}

// Authenticator gives the browser one.
func (b *Browser) Authenticator(t testing.TB) *Authenticator {
	t.Helper()
	b.do(t, "allowing passkeys", call(webauthn.Enable, webauthn.EnableParams{}))
	added := ask(t, b, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
	}})
	return &Authenticator{b: b, id: added.AuthenticatorID}
}

func ask[P, R any](t testing.TB, b *Browser, command cdp.Command[P, R], params P) R {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	result, err := chromedp.Run(ctx, func(ctx context.Context, target *chromedp.Target) (R, error) {
		return cdp.Call(ctx, target, command, params)
	})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// Passkeys is how many passkeys there are.
func (a *Authenticator) Passkeys(t testing.TB) int {
	t.Helper()
	return len(ask(t, a.b, webauthn.GetCredentials, webauthn.GetCredentialsParams{AuthenticatorID: a.id}).Credentials)
}

// addCredential is webauthn.AddCredential without a field that Chromium 156 takes from no
// authenticator like this one, whatever its value is.
var addCredential = cdp.Command[addCredentialParams, cdp.Empty]{Method: webauthn.CommandAddCredential}

type addCredentialParams struct {
	AuthenticatorID webauthn.AuthenticatorID `json:"authenticatorId"`
	Credential      struct {
		*webauthn.Credential
		GenerateCmtgKeyOnNextOperation *bool `json:"generateCmtgKeyOnNextOperation,omitempty"` // hides that of Credential
	} `json:"credential"`
}

// Rewind sets the counters of the passkeys back, as if each were a copy that was made
// before the last uses.
func (a *Authenticator) Rewind(t testing.TB) {
	t.Helper()
	for _, c := range ask(t, a.b, webauthn.GetCredentials, webauthn.GetCredentialsParams{AuthenticatorID: a.id}).Credentials {
		ask(t, a.b, webauthn.RemoveCredential, webauthn.RemoveCredentialParams{AuthenticatorID: a.id, CredentialID: c.CredentialID})
		c.SignCount = 0
		again := addCredentialParams{AuthenticatorID: a.id}
		again.Credential.Credential = c
		ask(t, a.b, addCredential, again)
	}
}

// Verified says whether the authenticator knows that it is its owner who uses it.
func (a *Authenticator) Verified(t testing.TB, is bool) {
	t.Helper()
	a.b.do(t, "being verified", call(webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: a.id, IsUserVerified: is}))
}
