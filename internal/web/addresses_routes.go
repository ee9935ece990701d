package web

import (
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// addressRoutes are the pages that confirm mail addresses and phone numbers.
func (s *Service) addressRoutes() []httpapi.Route {
	return []httpapi.Route{
		httpapi.Page("GET "+registerCodePath, "showRegisterCode", httpapi.Cheap, s.showRegisterCode).Fails(errcode.Forbidden),
		httpapi.Page("POST "+registerCodePath, "takeRegisterCode", httpapi.Validation, s.takeRegisterCode),

		httpapi.Page("GET "+forgotPath, "showForgot", httpapi.Cheap, s.showForgot).Fails(errcode.Forbidden),
		httpapi.Page("POST "+forgotPath, "askForgotten", httpapi.Validation, s.askForgotten),
		httpapi.Page("GET "+forgotCodePath, "showForgotCode", httpapi.Cheap, s.showForgotCode),
		httpapi.Page("POST "+forgotCodePath, "takeForgotCode", httpapi.Validation, s.takeForgotCode),
		httpapi.Page("POST "+newPasswordPath, "resetPasswordOnPage", httpapi.Login, s.resetPassword),

		httpapi.Page("GET "+addressesPath, "showAddresses", httpapi.Cheap, s.showAddresses),
		httpapi.Page("POST "+addressesPath, "addAddress", httpapi.Validation, s.addAddress),
		httpapi.Page("GET "+addressCodePath, "showAddressCode", httpapi.Cheap, s.showAddressCode),
		httpapi.Page("POST "+addressCodePath, "takeAddressCode", httpapi.Login, s.takeAddressCode),
		httpapi.Page("POST "+removeAddressPath, "removeAddress", httpapi.Login, s.removeAddress),
	}
}
