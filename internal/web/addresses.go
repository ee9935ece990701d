package web

import (
	"github.com/narthex-matrix/narthex/internal/page"
)

// media are the kinds of addresses that can be confirmed.
func (s *Service) media() page.Media {
	return page.Media{Mail: s.cfg.SendsMail(), Phone: s.cfg.SendsText()}
}
