package app

import (
	"context"
	"errors"
	"slices"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/identity"
	"github.com/narthex-matrix/narthex/internal/jobs"
	"github.com/narthex-matrix/narthex/internal/mail"
	"github.com/narthex-matrix/narthex/internal/sms"
	"github.com/narthex-matrix/narthex/internal/validation"
	"github.com/narthex-matrix/narthex/internal/web"
)

// errNoWebClient says what an identity service that stands alone lacks: it has no
// account page that the mails of invitations could lead to.
var errNoWebClient = errors.New("identity.web_client: give the address of a web client, such as https://app.example.org; the mails of invitations lead there")

// OpenIdentity is [Open] for the identity service alone: there are no accounts, and
// every user is one of another server. The services of the homeserver are nil in the
// App.
func OpenIdentity(ctx context.Context, cfg config.Config, seams Seams) (_ *App, err error) {
	cfg.Identity.Enabled = true
	if cfg.Mail.SMTP.Host != "" && cfg.Identity.WebClient == "" {
		return nil, errNoWebClient
	}
	a := &App{Config: cfg, log: seams.Log}
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	if err := a.openDatabase(ctx, cfg, seams); err != nil {
		return nil, err
	}
	if a.texts, err = mail.LoadTemplates(cfg); err != nil {
		return nil, err
	}
	if err := a.openOutbound(cfg); err != nil {
		return nil, err
	}
	key, err := loadIdentityKey(ctx, a.DB, cfg)
	if err != nil {
		return nil, err
	}
	a.buildIdentity(cfg, seams, key)
	return a, a.runner.Start(ctx)
}

func (a *App) buildIdentity(cfg config.Config, seams Seams, key identity.Key) {
	mails := mail.New(mail.Deps{DB: a.DB, Config: cfg, Log: seams.Log, Templates: a.texts})
	texts := sms.New(sms.Deps{DB: a.DB, Config: cfg, Log: seams.Log})
	validations := validation.New(validation.Deps{DB: a.DB, Config: cfg, Mail: mails, SMS: texts})
	identities := identity.New(identity.Deps{DB: a.DB, Config: cfg, Key: key, Validation: validations, Mail: mails, Client: a.out})

	a.runner = jobs.NewRunner(a.DB, seams.Log, slices.Concat(mails.Jobs(), texts.Jobs(), validations.Jobs(), identities.Jobs()))
	a.server = &httpapi.Server{
		Now: seams.Now, Log: seams.Log, Observe: seams.Observe,
		AuthenticateIdentity: identities.Authenticate,
		Forms:                errcode.Forms{MSC3848: errcode.Mode(cfg.MSC3848Mode()), Approval: errcode.Mode(cfg.ApprovalErrcode())},
		ErrorPage:            web.New(web.Deps{Config: cfg}).ErrorPage,
		Limits:               limits(cfg),
		Admission:            a.admission(cfg, seams),
		TrustedProxies:       config.Networks(cfg.TrustedProxies),
	}
	a.server.Handle(append(identities.Routes(), web.Assets()))
}
