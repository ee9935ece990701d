package profile

import (
	"context"

	"github.com/go-json-experiment/json"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Rename gives a user another display name, or none if it is empty, as the user
// asks on a page. It fails with InvalidParam for one that is too long, and with
// ProfileTooLarge.
func (s *Service) Rename(ctx context.Context, userID id.UserID, name string) error {
	if name == "" {
		return s.change(ctx, userID, accounts.DisplayName, nil)
	}
	value, err := json.Marshal(name)
	if err != nil {
		return err
	}
	if err := checkValue(accounts.DisplayName, value); err != nil {
		return err
	}
	return s.change(ctx, userID, accounts.DisplayName, value)
}
