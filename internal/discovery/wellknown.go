package discovery

import (
	"context"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

type baseURL struct {
	BaseURL string `json:"base_url"`
}

type authentication struct {
	Issuer  string `json:"issuer"`
	Account string `json:"account"`
}

type getWellknownResponse struct {
	Homeserver baseURL `json:"m.homeserver"`
	// IdentityServer is where clients find people by their addresses.
	IdentityServer *baseURL `json:"m.identity_server,omitzero"`
	// Authentication is from an early version of MSC2965, for the clients of its
	// time; others ask for auth_metadata.
	Authentication *authentication `json:"org.matrix.msc2965.authentication,omitzero"`
}

func (s *Service) getWellknown(context.Context, *httpapi.Call, noRequest) (getWellknownResponse, error) {
	resp := getWellknownResponse{Homeserver: baseURL{s.cfg.ClientBaseURL()}}
	if s.cfg.Identity.Enabled {
		resp.IdentityServer = &baseURL{s.cfg.BaseURL()}
	}
	if s.cfg.OAuth.Enabled {
		resp.Authentication = &authentication{Issuer: s.cfg.Issuer(), Account: s.cfg.AccountURL()}
	}
	return resp, nil
}

type getWellknownServerResponse struct {
	Server string `json:"m.server"`
}

func (s *Service) getWellknownServer(context.Context, *httpapi.Call, noRequest) (getWellknownServerResponse, error) {
	if s.cfg.WellKnown.Server == "" {
		return getWellknownServerResponse{}, errcode.NotFound.New("This server has not been given another name for other servers. Connect to its server name.")
	}
	return getWellknownServerResponse{s.cfg.WellKnown.Server}, nil
}

type contact struct {
	Role     string `json:"role"`
	MatrixID string `json:"matrix_id,omitzero"`
	Email    string `json:"email_address,omitzero"`
}

type getWellknownSupportResponse struct {
	Contacts []contact `json:"contacts,omitzero"`
	Page     string    `json:"support_page,omitzero"`
}

func (s *Service) getWellknownSupport(context.Context, *httpapi.Call, noRequest) (out getWellknownSupportResponse, err error) {
	c := s.cfg.Support
	if c.AdminContactEmail != "" || c.AdminContactMatrixID != "" {
		out.Contacts = []contact{{"m.role.admin", c.AdminContactMatrixID, c.AdminContactEmail}}
	}
	out.Page = c.Page
	if out.Contacts == nil && out.Page == "" {
		return out, errcode.NotFound.New("Whoever runs this server has not said how to reach them.")
	}
	return out, nil
}
