package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/narthex-matrix/narthex/signin"
)

// oauth examines what the new device asks: the metadata, its registration, and the
// grant that is approved elsewhere.
func (e *examination) oauth(ctx context.Context) {
	full, err := e.library().Discover(ctx, e.found.BaseURL)
	var incomplete *signin.MetadataError
	switch {
	case errors.Is(err, signin.ErrNoOAuth):
		e.fault("The homeserver does not offer OAuth 2.0, without which no device can be signed in by QR code.",
			"Switch it on; Synapse needs matrix-authentication-service beside it. If it is on, let the proxy pass /_matrix/client/v1/auth_metadata.")
		return
	case errors.As(err, &incomplete):
		for _, problem := range incomplete.Problems {
			e.fault("The metadata of OAuth 2.0: "+problem+".", "Mend it in the configuration of the authorization server; its public address must be https.")
		}
		return
	case err != nil:
		e.fault(fmt.Sprintf("The metadata of OAuth 2.0 cannot be read: %v.", err), "Open the address and look what answers there; most often it is the proxy.")
		return
	}
	if full.Unstable {
		e.warn("The metadata of OAuth 2.0 is found only at its old address.", "Update the homeserver: newer apps ask only /_matrix/client/v1/auth_metadata.")
	}
	e.good("OAuth 2.0 is at %s.", full.Metadata.Issuer)
	if !full.Metadata.HasDeviceGrant() {
		e.fault("The authorization server does not let a device be approved from another one (device authorization grant).",
			"Switch the grant on: oauth.device_grant in Narthex; update matrix-authentication-service. The metadata must have device_authorization_endpoint.")
		return
	}
	e.endpointCORS(ctx, full.Metadata)
	e.grant(ctx, full)
}

// endpointCORS holds that an app in a browser may send requests to the endpoints.
func (e *examination) endpointCORS(ctx context.Context, m *signin.Metadata) {
	for _, endpoint := range []struct{ name, url string }{
		{"registration_endpoint", m.RegistrationEndpoint}, {"device_authorization_endpoint", m.DeviceAuthorizationEndpoint}, {"token_endpoint", m.TokenEndpoint},
	} {
		a, err := e.preflight(ctx, endpoint.url, http.MethodPost, "content-type")
		switch {
		case err != nil:
			e.fault(fmt.Sprintf("The %s %s does not answer: %v.", endpoint.name, endpoint.url, err), "Check the address in the metadata, and the proxy.")
		case !a.ok() || !a.cors():
			e.warn(fmt.Sprintf("Apps in a browser may not use the %s.", endpoint.name), "Answer OPTIONS there with 200 and Access-Control-Allow-Origin: *; check that the proxy does not answer it.")
		}
	}
}

// grant begins a sign-in and asks for its outcome once.
func (e *examination) grant(ctx context.Context, full *signin.Homeserver) {
	client, err := full.Register(ctx, signin.ClientMetadata{ClientName: "narthex doctor", ClientURI: "https://narthex.invalid/"})
	if err != nil {
		e.fault(fmt.Sprintf("A new app cannot make itself known: %v.", err), "Allow dynamic client registration (RFC 7591) for apps without a redirect URI.")
		return
	}
	g, err := full.StartDevice(ctx, client.ClientID, full.Scope(signin.NewDeviceID()))
	if err != nil {
		e.fault(fmt.Sprintf("A sign-in cannot be begun: %v.", err), "Look into the log of the authorization server for this request.")
		return
	}
	e.good("A sign-in can be begun; its page is %s.", g.VerificationURI)
	a, err := e.ask(ctx, question{method: http.MethodPost, url: full.Metadata.TokenEndpoint,
		header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
		body:   url.Values{"grant_type": {signin.GrantDevice}, "device_code": {g.DeviceCode}, "client_id": {client.ClientID}}.Encode()})
	var answer struct {
		Error   string `json:"error"`
		Errcode string `json:"errcode"`
	}
	switch {
	case err != nil:
		e.fault(fmt.Sprintf("The token endpoint does not answer: %v.", err), "Check the address in the metadata, and the proxy.")
	case !a.object(&answer) || answer.Error != "authorization_pending":
		e.fault(fmt.Sprintf("The token endpoint answers a waiting device with status %d and %q, where authorization_pending is due.", a.status, shortened(a.body)),
			"Look whether something else than the authorization server answers.")
	case answer.Errcode != "":
		e.warn("The token endpoint's errors are mixed with those of Matrix (errcode).", "Apps take them for another kind of error; update the authorization server.")
	default:
		e.good("The token endpoint lets a device wait.")
	}
	e.page(ctx, g)
}

// page holds that there is something for the person to see.
func (e *examination) page(ctx context.Context, g *signin.DeviceGrant) {
	a, err := e.ask(ctx, question{url: g.Link()})
	switch {
	case err != nil:
		e.fault(fmt.Sprintf("The page on which a sign-in is approved does not answer: %v.", err), "Check the public address of the authorization server.")
	case a.status >= http.StatusBadRequest:
		e.fault(fmt.Sprintf("The page on which a sign-in is approved answers with status %d.", a.status), "Let the proxy pass it to the authorization server.")
	default:
		e.good("The page on which a sign-in is approved is there.")
	}
}

// shortened is an answer fit for a line.
func shortened(text string) string {
	if len(text) > 80 {
		text = text[:80] + "…"
	}
	return strings.ToValidUTF8(text, "?")
}
