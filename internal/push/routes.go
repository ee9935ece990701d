package push

import (
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// Routes are the endpoints of the package. A suspended account keeps them all: how
// it is notified concerns nobody else.
//
// The specification spells the two lists with a slash at the end. {$} keeps them
// from answering for every path below; clients that leave the slash out are served
// too.
func (s *Service) Routes() []httpapi.Route {
	return []httpapi.Route{
		httpapi.JSON("GET /_matrix/client/v3/pushrules/{$}", "getPushRules", httpapi.User, httpapi.Cheap, s.getPushRules).
			Suspended().Also("/_matrix/client/v3/pushrules", "/_matrix/client/r0/pushrules"),
		httpapi.JSON("GET /_matrix/client/v3/pushrules/global/{$}", "getPushRulesGlobal", httpapi.User, httpapi.Cheap, s.getPushRulesGlobal).
			Suspended().Also("/_matrix/client/v3/pushrules/global", "/_matrix/client/r0/pushrules/global"),
		httpapi.JSON("GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}", "getPushRule", httpapi.User, httpapi.Cheap, s.getPushRule).
			Suspended().Fails(errcode.NotFound),
		httpapi.JSON("PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}", "setPushRule", httpapi.User, httpapi.Cheap, s.setPushRule).
			Suspended().Body(maxRule).Fails(errcode.RuleAnchorNotFound),
		httpapi.JSON("DELETE /_matrix/client/v3/pushrules/global/{kind}/{ruleId}", "deletePushRule", httpapi.User, httpapi.Cheap, s.deletePushRule).
			Suspended().Fails(errcode.NotFound),
		httpapi.JSON("GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled", "isPushRuleEnabled", httpapi.User, httpapi.Cheap, s.isPushRuleEnabled).
			Suspended().Fails(errcode.NotFound),
		httpapi.JSON("PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled", "setPushRuleEnabled", httpapi.User, httpapi.Cheap, s.setPushRuleEnabled).
			Suspended().Fails(errcode.NotFound),
		httpapi.JSON("GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions", "getPushRuleActions", httpapi.User, httpapi.Cheap, s.getPushRuleActions).
			Suspended().Fails(errcode.NotFound),
		httpapi.JSON("PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions", "setPushRuleActions", httpapi.User, httpapi.Cheap, s.setPushRuleActions).
			Suspended().Body(maxRule).Fails(errcode.NotFound),

		// Push rules are account data too; these paths win over those of package
		// accountdata, which knows nothing of the rules.
		httpapi.JSON("GET /_matrix/client/v3/user/{userId}/account_data/m.push_rules", "getAccountData", httpapi.User, httpapi.Cheap, s.getAccountData).
			Suspended().Fails(errcode.Forbidden),
		httpapi.JSON("PUT /_matrix/client/v3/user/{userId}/account_data/m.push_rules", "setAccountData", httpapi.User, httpapi.Cheap, s.setAccountData).
			Suspended().Fails(errcode.Forbidden, errcode.ServerManaged),
	}
}
