package accounts

import (
	"context"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

type deactivateAccountRequest struct {
	Erase bool  `json:"erase"`
	Auth  *Auth `json:"auth"`
}

type deactivateAccountResponse struct {
	// Unbound is whether nothing is published of the account any more.
	Unbound unbindResult `json:"id_server_unbind_result"`
}

func (s *Service) deactivateAccount(ctx context.Context, call *httpapi.Call, req deactivateAccountRequest) (deactivateAccountResponse, error) {
	proof, err := s.Interactive(ctx, call, ByPassword(""), req.Auth)
	if err != nil {
		return deactivateAccountResponse{}, err
	}
	var leaving []binding
	err = s.db.Write(ctx, func(tx *db.Tx) (err error) {
		if err := s.Spend(tx, proof); err != nil {
			return err
		}
		if err := s.Deactivate(tx, call.UserID, string(call.UserID), req.Erase); err != nil {
			return err
		}
		leaving, err = leavingBindings(tx, call.UserID)
		return err
	})
	if err != nil {
		return deactivateAccountResponse{}, err
	}
	return deactivateAccountResponse{Unbound: s.takeBack(ctx, call, leaving)}, nil
}
