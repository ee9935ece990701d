package e2ee

import (
	"context"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

type noRequest struct{}

// getRoomKeysVersionCurrent answers that there is no backup of keys: clients ask for
// one when they start.
func (s *Service) getRoomKeysVersionCurrent(context.Context, *httpapi.Call, noRequest) (empty, error) {
	return empty{}, errcode.NotFound.New("There is no backup of your keys on this server.")
}
