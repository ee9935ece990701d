package oauth

import (
	"context"

	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// issuer identifies this server as an OAuth 2.0 authorization server. It ends in a
// slash, so that paths can be added to it.
func (s *Service) issuer() string { return s.cfg.Issuer() }

type getAuthMetadataRequest struct{}

// getAuthMetadataResponse says where the endpoints are and what they can do.
// RFC 8414 section 2.
type getAuthMetadataResponse struct {
	Issuer                      string `json:"issuer"`
	AuthorizationEndpoint       string `json:"authorization_endpoint"`
	TokenEndpoint               string `json:"token_endpoint"`
	RevocationEndpoint          string `json:"revocation_endpoint"`
	RegistrationEndpoint        string `json:"registration_endpoint"`
	DeviceAuthorizationEndpoint string `json:"device_authorization_endpoint"`
	// IntrospectionEndpoint is there if somebody has the secret for it.
	IntrospectionEndpoint            string   `json:"introspection_endpoint,omitzero"`
	IntrospectionEndpointAuthMethods []string `json:"introspection_endpoint_auth_methods_supported,omitzero"`

	ResponseTypes         []string `json:"response_types_supported"`
	ResponseModes         []string `json:"response_modes_supported"`
	GrantTypes            []string `json:"grant_types_supported"`
	CodeChallengeMethods  []string `json:"code_challenge_methods_supported"`
	TokenAuthMethods      []string `json:"token_endpoint_auth_methods_supported"`
	RevocationAuthMethods []string `json:"revocation_endpoint_auth_methods_supported"`
	Scopes                []string `json:"scopes_supported"`
	IssInResponse         bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207
	// Prompts is empty where nobody can make an account.
	Prompts []string `json:"prompt_values_supported,omitempty"`

	AccountManagementURI     string   `json:"account_management_uri"`
	AccountManagementActions []string `json:"account_management_actions_supported"`
}

// accountActions are what the account page can be asked for (client-server API,
// "Account management URL actions"), and how clients asked for the same before
// (MSC4191).
var accountActions = []string{
	"org.matrix.profile", "org.matrix.devices_list", "org.matrix.device_view", "org.matrix.device_delete",
	"org.matrix.account_deactivate", "org.matrix.cross_signing_reset",
	"profile", "sessions_list", "session_view", "session_end",
	"org.matrix.sessions_list", "org.matrix.session_view", "org.matrix.session_end",
}

func (s *Service) getAuthMetadata(context.Context, *httpapi.Call, getAuthMetadataRequest) (getAuthMetadataResponse, error) {
	issuer := s.issuer()
	m := getAuthMetadataResponse{
		Issuer:                      issuer,
		AuthorizationEndpoint:       issuer + "oauth2/authorize",
		TokenEndpoint:               issuer + "oauth2/token",
		RevocationEndpoint:          issuer + "oauth2/revoke",
		RegistrationEndpoint:        issuer + "oauth2/register",
		DeviceAuthorizationEndpoint: issuer + "oauth2/device",

		ResponseTypes:         []string{"code"},
		ResponseModes:         []string{"query", "fragment"},
		GrantTypes:            []string{grantCode, grantRefresh, grantDeviceCode},
		CodeChallengeMethods:  []string{"S256"},
		TokenAuthMethods:      []string{"none"},
		RevocationAuthMethods: []string{"none"},
		Scopes:                []string{scopes + fullAccess, unstableScopes + fullAccess},
		IssInResponse:         true,

		AccountManagementURI:     s.cfg.AccountURL(),
		AccountManagementActions: accountActions,
	}
	if s.cfg.OAuth.IntrospectionSecret != "" {
		m.IntrospectionEndpoint, m.IntrospectionEndpointAuthMethods = issuer+"oauth2/introspect", []string{"client_secret_post"}
	}
	if s.cfg.Registration.Enabled {
		m.Prompts = []string{"create"}
	}
	return m, nil
}

type getAuthIssuerResponse struct {
	Issuer string `json:"issuer"`
}

// getAuthIssuer answers clients of an earlier version of MSC2965, which go on to
// the issuer's own metadata.
func (s *Service) getAuthIssuer(context.Context, *httpapi.Call, getAuthMetadataRequest) (getAuthIssuerResponse, error) {
	return getAuthIssuerResponse{s.issuer()}, nil
}
