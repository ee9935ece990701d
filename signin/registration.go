package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// ClientMetadata describes a program to the people who are asked whether to let it
// in, and to the server (RFC 7591 §2; client-server API, "Client metadata").
type ClientMetadata struct {
	ClientName string `json:"client_name,omitempty"`

	// ClientURI is an https page about the program. It is required, and all other
	// URIs have to be on its host or below it, redirects to loopback and to schemes
	// of the program's own excepted.
	ClientURI string `json:"client_uri"`
	LogoURI   string `json:"logo_uri,omitempty"`
	TOSURI    string `json:"tos_uri,omitempty"`
	PolicyURI string `json:"policy_uri,omitempty"`

	// RedirectURIs are needed for sign-in with a browser on this device, and only
	// for that. One on the loopback interface is registered without a port.
	RedirectURIs []string `json:"redirect_uris,omitempty"`

	// ApplicationType is "native" or "web"; empty is "native".
	ApplicationType string `json:"application_type"`

	// GrantTypes may be left nil: it then is what the redirect URIs and the server
	// make possible.
	GrantTypes []string `json:"grant_types"`
}

// A Registration is a program that a server knows.
type Registration struct {
	ClientID string

	// GrantTypes are the ways to get tokens that the server will let this client
	// use. They may be fewer than were asked for.
	GrantTypes []string
}

// Register makes the program known to the server ("Dynamic client registration
// flow"). Programs register at the start of each sign-in and keep the client ID
// with the session. It fails with an [*OAuthError] such as invalid_client_metadata.
func (h *Homeserver) Register(ctx context.Context, about ClientMetadata) (Registration, error) {
	if h.Metadata == nil {
		return Registration{}, ErrNoOAuth
	}
	if about.ClientURI == "" {
		return Registration{}, errors.New("registering a client needs a client_uri, a page about the program")
	}
	if about.GrantTypes == nil {
		about.GrantTypes = h.grants(about)
	}
	if about.ApplicationType == "" {
		about.ApplicationType = "native"
	}
	request := struct {
		ClientMetadata
		ResponseTypes []string `json:"response_types"`
		Method        string   `json:"token_endpoint_auth_method"`
	}{about, []string{}, "none"}
	if slices.Contains(about.GrantTypes, GrantCode) {
		request.ResponseTypes = []string{"code"}
	}
	body, err := json.Marshal(request)
	if err != nil {
		return Registration{}, err
	}
	a, err := h.client.politely(ctx, func() (answer, error) {
		return h.client.post(ctx, h.Metadata.RegistrationEndpoint, "application/json", string(body))
	})
	if err != nil {
		return Registration{}, fmt.Errorf("registering the client: %w", err)
	}
	return registered(a, about)
}

func registered(a answer, about ClientMetadata) (Registration, error) {
	if !a.ok() {
		return Registration{}, a.oauthError()
	}
	var answered struct {
		ClientID   string   `json:"client_id"`
		GrantTypes []string `json:"grant_types"`
		Method     string   `json:"token_endpoint_auth_method"`
	}
	if err := a.object(&answered); err != nil {
		return Registration{}, err
	}
	switch {
	case answered.ClientID == "":
		return Registration{}, a.problem("has no client_id")
	case answered.Method != "" && answered.Method != "none":
		return Registration{}, a.problem("demands that the client authenticates by %s, which a program without a secret cannot", printable(answered.Method))
	case answered.GrantTypes == nil:
		answered.GrantTypes = about.GrantTypes
	}
	return Registration{ClientID: answered.ClientID, GrantTypes: answered.GrantTypes}, nil
}

// grants lists what the client can use here.
func (h *Homeserver) grants(about ClientMetadata) []string {
	grants := []string{GrantRefresh}
	if len(about.RedirectURIs) > 0 {
		grants = append(grants, GrantCode)
	}
	if h.Metadata.HasDeviceGrant() {
		grants = append(grants, GrantDevice)
	}
	return grants
}
