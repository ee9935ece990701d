package adminpages

import (
	"context"
	"fmt"
	"net/http"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/admin"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/web"
)

// chartDays is how far back the charts go.
const chartDays = 30

type showOverviewRequest struct{}

func (s *Service) showOverview(ctx context.Context, call *httpapi.Call, _ showOverviewRequest) (httpapi.Reply, error) {
	v, reply, err := s.enter(ctx, call, overviewPath)
	if v == nil {
		return reply, err
	}
	version, err := s.db.Version(ctx)
	if err != nil {
		return httpapi.Reply{}, err
	}
	p := page.Administration{
		Approval: s.accounts.ApprovalRequired(), Mail: s.mail.Configured(),
		Join:    page.Join{Open: s.cfg.Registration.Enabled, NeedToken: s.cfg.Registration.RequireToken, Page: s.cfg.BaseURL() + web.RegisterPath},
		Version: admin.Version(), Database: fmt.Sprintf("%s %s", engines[s.db.Dialect()], version), Findings: s.examine(s.cfg),
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		_, p.Waiting, _, err = s.accounts.Registrations(tx, []string{accounts.StatePending}, "", 0)
		if err != nil {
			return err
		}
		stuck, err := s.mail.Stuck(tx)
		if err != nil {
			return err
		}
		p.Stuck, p.StuckSince = stuck.Count, stuck.Oldest
		days, err := s.accounts.Days(tx, chartDays)
		p.Signups, p.SignIns = page.Chart{}, page.Chart{}
		for _, d := range days {
			p.Signups.Counts = append(p.Signups.Counts, page.Count{Day: d.Start, N: d.Signups})
			p.SignIns.Counts = append(p.SignIns.Counts, page.Count{Day: d.Start, N: d.SignIns})
		}
		return err
	})
	if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Show(http.StatusOK, p)
}

// engines are what people call the databases.
var engines = map[db.Dialect]string{db.SQLite: "SQLite", db.Postgres: "PostgreSQL"}
