package adminpages

import (
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// The paths of the pages; templates of package page have the same.
const (
	overviewPath      = "/admin"
	firstPath         = "/admin/first"
	registrationsPath = "/admin/registrations"
	decisionsPath     = "/admin/decisions"
	tokensPath        = "/admin/tokens"
	newTokenPath      = "/admin/tokens/new"
	revokeTokenPath   = "/admin/tokens/revoke"
	usersPath         = "/admin/users"
	userPath          = "/admin/user"
	userActPath       = "/admin/user/act"
	auditPath         = "/admin/audit"
	auditExportPath   = "/admin/audit/export"
)

// Routes are the pages.
func (s *Service) Routes() []httpapi.Route {
	return []httpapi.Route{
		httpapi.Page("GET "+overviewPath, "showAdministration", httpapi.Cheap, s.showOverview),
		httpapi.Page("GET "+firstPath, "showFirstAdministrator", httpapi.Login, s.showFirst).Fails(errcode.NotFound),
		httpapi.Page("POST "+firstPath, "makeFirstAdministrator", httpapi.Login, s.makeFirst).Fails(errcode.NotFound),

		httpapi.Page("GET "+registrationsPath, "showRegistrations", httpapi.Cheap, s.showRegistrations),
		httpapi.Page("POST "+registrationsPath, "decideRegistrations", httpapi.Cheap, s.decide),
		httpapi.Page("GET "+decisionsPath, "showDecisions", httpapi.Cheap, s.showDecisions),

		httpapi.Page("GET "+tokensPath, "showRegistrationTokens", httpapi.Cheap, s.showTokens),
		httpapi.Page("GET "+newTokenPath, "showNewRegistrationToken", httpapi.Cheap, s.showNewToken),
		httpapi.Page("POST "+newTokenPath, "makeRegistrationToken", httpapi.Cheap, s.makeToken),
		httpapi.Page("GET "+revokeTokenPath, "showRevokeRegistrationToken", httpapi.Cheap, s.showRevokeToken).Fails(errcode.NotFound),
		httpapi.Page("POST "+revokeTokenPath, "revokeRegistrationToken", httpapi.Cheap, s.revokeToken).Fails(errcode.NotFound),

		httpapi.Page("GET "+usersPath, "showUsers", httpapi.Cheap, s.showUsers),
		httpapi.Page("GET "+userPath, "showUser", httpapi.Cheap, s.showUser).Fails(errcode.NotFound),
		httpapi.Page("GET "+userActPath, "askUserAct", httpapi.Cheap, s.askUserAct).Fails(errcode.NotFound),
		httpapi.Page("POST "+userActPath, "doUserAct", httpapi.Login, s.doUserAct).Fails(errcode.NotFound),

		httpapi.Page("GET "+auditPath, "showAudit", httpapi.Cheap, s.showAudit),
		httpapi.Page("GET "+auditExportPath, "exportAudit", httpapi.Expensive, s.exportAudit),
	}
}
