package accounts

import (
	"slices"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

// CrossSigningReset is the action of the account's page on which a person allows
// that the cross-signing keys are replaced. Client-server API, "Account management
// URL actions".
const CrossSigningReset = "org.matrix.cross_signing_reset"

// resetAllowed is for how long the permission lasts.
const resetAllowed = 10 * time.Minute

// accountPage is where a person manages the account in a browser.
func (s *Service) accountPage() string { return s.cfg.BaseURL() + "/account" }

// ForCrossSigning is the interaction in which the requester proves to be the one
// whose cross-signing keys are replaced: by password, or in a session of OAuth 2.0
// on the account's page. Whoever acts on it calls [Service.SpendCrossSigning].
func ForCrossSigning(call *httpapi.Call) Interaction {
	if call.ClientID == "" {
		return ByPassword("")
	}
	return Interaction{Flows: [][]Stage{{OAuthStage}, {unstableOAuthStage}}}
}

func (in Interaction) isForOAuth() bool {
	return slices.ContainsFunc(in.Flows, func(flow []Stage) bool { return slices.Contains(flow, OAuthStage) })
}

// AllowCrossSigningReset lets a user's sessions of OAuth 2.0 replace the
// cross-signing keys, once and within ten minutes. The account's page calls it
// when the person has confirmed that.
func (s *Service) AllowCrossSigningReset(tx *db.Tx, userID id.UserID) error {
	return tx.Later(`INSERT INTO cross_signing_resets (user_id, until_ts) VALUES ($1, $2)
		ON CONFLICT (user_id) DO UPDATE SET until_ts = excluded.until_ts`, userID, tx.Now.Add(resetAllowed).UnixMilli())
}

func mayResetCrossSigning(tx *db.Tx, userID id.UserID) (bool, error) {
	return db.Value[bool](tx, `SELECT EXISTS (SELECT 1 FROM cross_signing_resets WHERE user_id = $1 AND until_ts > $2)`, userID, tx.Now.UnixMilli())
}

// SpendCrossSigning is [Service.Spend] for a proof of [ForCrossSigning]: it uses up
// the permission too, if the proof stands on one. It fails with InteractiveAuth if
// either is gone.
func (s *Service) SpendCrossSigning(tx *db.Tx, call *httpapi.Call, p Proof) error {
	if err := s.Spend(tx, p); err != nil || call.ClientID == "" {
		return err
	}
	n, err := tx.Exec(`DELETE FROM cross_signing_resets WHERE user_id = $1 AND until_ts > $2`, call.UserID, tx.Now.UnixMilli())
	if err == nil && n == 0 {
		return p.again
	}
	return err
}

func sweepResets(tx *db.Tx) error {
	return tx.Later(`DELETE FROM cross_signing_resets WHERE until_ts <= $1`, tx.Now.UnixMilli())
}
