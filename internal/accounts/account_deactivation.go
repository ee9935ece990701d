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
	// Unbound is always "success": this server binds no address to an account.
	Unbound string `json:"id_server_unbind_result"`
}

func (s *Service) deactivateAccount(ctx context.Context, call *httpapi.Call, req deactivateAccountRequest) (deactivateAccountResponse, error) {
	proof, err := s.Interactive(ctx, call, ByPassword(""), req.Auth)
	if err != nil {
		return deactivateAccountResponse{}, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if err := s.Spend(tx, proof); err != nil {
			return err
		}
		return s.Deactivate(tx, call.UserID, string(call.UserID), req.Erase)
	})
	return deactivateAccountResponse{Unbound: "success"}, err
}
