package validation

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/mail"
	"github.com/narthex-matrix/narthex/internal/secret"
	"github.com/narthex-matrix/narthex/internal/sms"
)

// Send begins a session, or goes on with the open one of the same purpose, medium,
// address, secret and account, and sends its link or code unless that was the same
// or a later attempt. It gives the id of the session, 32 characters of
// [0-9a-zA-Z_-].
//
// It fails with InvalidParam (secret, send_attempt, next_link),
// ThreepidMediumNotSupported, LimitExceeded (of the address, the caller, or text
// messages), DestinationRejected, and ErrSend. A message that could not be delivered
// yet is no failure: the outbox goes on with it (TP-34).
func (s *Service) Send(ctx context.Context, call *httpapi.Call, req Request) (sid string, err error) {
	if err := s.check(req); err != nil {
		return "", err
	}
	if req.NextPath != "" {
		req.NextLink = s.cfg.BaseURL() + req.NextPath
	}
	var p posted
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		p, err = s.post(tx, call, req)
		return err
	})
	if err != nil {
		return "", err
	}
	if req.Pretend != NoPretence {
		return p.sid, s.wait(ctx, anyTime())
	}
	if p.message == "" {
		return p.sid, nil
	}
	if err := s.deliver(ctx, req.Medium, p.message); err != nil {
		forget := func(tx *db.Tx) error { return forgetAttempt(tx, p.sid, req.SendAttempt, p.before) }
		return "", errors.Join(err, s.db.Write(context.WithoutCancel(ctx), forget))
	}
	return p.sid, nil
}

// check refuses what no session can be made of.
func (s *Service) check(req Request) error {
	if !s.Configured(req.Medium) {
		return errcode.ThreepidMediumNotSupported.New("This server cannot validate addresses of this kind.")
	}
	if err := CheckSecret(req.ClientSecret); err != nil {
		return err
	}
	if req.SendAttempt < 0 {
		return invalid("send_attempt", "it must be 0 or more")
	}
	return s.CheckNextLink(req.NextLink)
}

// The time that an answer takes which hides something (TP-64).
const (
	leastTime = 100 * time.Millisecond
	mostTime  = 1000 * time.Millisecond
)

func anyTime() time.Duration {
	n, _ := rand.Int(rand.Reader, big.NewInt(int64(mostTime-leastTime)+1)) // never fails: crypto/rand ends the program instead
	return leastTime + time.Duration(n.Int64())
}

// posted is what became of a request.
type posted struct {
	sid     string
	message string // in the outbox; empty: none
	before  int64  // the attempt before this one
}

// post finds or opens the session, and writes its message into the outbox.
func (s *Service) post(tx *db.Tx, call *httpapi.Call, req Request) (p posted, err error) {
	v, err := latestSession(tx, req)
	fresh := errors.Is(err, db.ErrNoRow)
	switch {
	case err != nil && !fresh:
		return p, err
	case !fresh && v.over(tx.Now):
		fresh = true
	case !fresh && req.SendAttempt <= v.sendAttempt:
		return posted{sid: v.sid}, nil
	}
	if s.cfg.RateLimits.Enabled && !s.cfg.Dev {
		if err := spend(tx, sendBudgets(call, req)); err != nil {
			return p, err
		}
	}
	if fresh {
		v = s.newSession(tx.Now, req)
		if err := insertSession(tx, v); err != nil {
			return p, err
		}
		p.before = -1
	} else {
		p.before, v.sendAttempt = v.sendAttempt, req.SendAttempt
		if req.NextLink != "" {
			v.nextLink = req.NextLink
		}
		if err := noteAttempt(tx, v); err != nil {
			return p, err
		}
	}
	p.sid = v.sid
	p.message, err = s.queue(tx, req, v)
	return p, err
}

func (s *Service) newSession(now time.Time, req Request) session {
	open := time.Duration(s.cfg.Threepid.TokenLifetime)
	switch {
	case req.Medium == Phone:
		open = time.Duration(s.cfg.Threepid.CodeLifetime)
	case req.Purpose == Identity:
		open = lifetime
	}
	return session{
		sid: secret.String(24), purpose: req.Purpose, medium: req.Medium, address: req.Address, account: req.Account,
		secretHash: secret.Hash(req.ClientSecret), seed: []byte(secret.String(32)),
		pretended:   req.Pretend == PretendUnused || req.Pretend == PretendUsed,
		sendAttempt: req.SendAttempt, nextLink: req.NextLink, created: now.UnixMilli(), expires: now.Add(open).UnixMilli(),
	}
}

// queue writes the message of a session into the outbox, and gives its id there;
// none where the request only pretends.
func (s *Service) queue(tx *db.Tx, req Request, v session) (message string, err error) {
	if req.Medium == Email {
		m, ok := s.mailOf(tx.Now, req, v)
		if !ok {
			return "", nil
		}
		return s.mail.Queue(tx, m)
	}
	if v.pretended {
		err = s.sms.Allowed(tx, req.Address)
	} else {
		message, err = s.sms.Queue(tx, s.textOf(req, v))
	}
	var limit *sms.LimitError
	switch {
	case errors.Is(err, sms.ErrDestination):
		return "", errcode.DestinationRejected.Wrap(err, "This server sends no text messages to this kind of number, or to its country.")
	case errors.As(err, &limit) && req.Pretend != NoPretence:
		// Only a number that is really sent messages reaches its limit.
		return "", nil
	case errors.As(err, &limit):
		return "", errcode.TooManyRequests(limit.After)
	}
	return message, err
}

var mailTemplates = map[Purpose]string{
	Register: mail.ValidationRegister, Add: mail.ValidationAdd, Password: mail.ValidationPassword, Identity: mail.ValidationIdentity,
}

// mailOf writes the mail of a session; ok is false where there is none.
func (s *Service) mailOf(now time.Time, req Request, v session) (m mail.Message, ok bool) {
	m = mail.Message{To: req.Address, Expires: time.UnixMilli(v.expires)}
	switch {
	case req.Pretend == PretendUnused:
		m.Template, m.Data = mail.AlreadyRegistered, req.Notice
	case v.pretended:
		return m, false
	default:
		token := v.token(req.ClientSecret)
		query := url.Values{"sid": {v.sid}, "client_secret": {req.ClientSecret}, "token": {token}}
		m.Template = mailTemplates[req.Purpose]
		m.Data = mail.Validation{Link: req.SubmitURL + "?" + query.Encode(), Code: token, Valid: m.Expires.Sub(now).Round(time.Second)}
	}
	return m, true
}

// textOf writes the text message of a session, which fits into one.
func (s *Service) textOf(req Request, v session) sms.Message {
	return sms.Message{
		To: req.Address, Expires: time.UnixMilli(v.expires),
		Text: fmt.Sprintf("%s is your code for %.80s. Give it to nobody.", v.token(req.ClientSecret), s.cfg.ServerName),
	}
}

// deliver tries to deliver a message at once. Only that it was refused for good is a
// failure.
func (s *Service) deliver(ctx context.Context, m Medium, message string) error {
	var err error
	if m == Email {
		err = s.mail.Deliver(ctx, message)
	} else {
		err = s.sms.Deliver(ctx, message)
	}
	if errors.Is(err, mail.ErrRefused) || errors.Is(err, sms.ErrRefused) {
		return fmt.Errorf("%w: %w", ErrSend, err)
	}
	if errors.Is(err, mail.ErrLater) || errors.Is(err, sms.ErrLater) {
		return nil
	}
	return err
}
