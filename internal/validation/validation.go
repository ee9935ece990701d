package validation

import (
	"context"
	"errors"
	"time"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// Medium is the kind of an address, as the specification spells it.
type Medium string

// The media.
const (
	Email Medium = "email"
	Phone Medium = "msisdn"
)

// Purpose is what a session is good for. One of another purpose does not exist, as
// far as a caller can see (TP-28).
type Purpose string

// The purposes: the homeserver's three, and the identity service.
const (
	Register Purpose = "register"
	Add      Purpose = "add"
	Password Purpose = "password"
	Identity Purpose = "identity"
)

// Pretence is what an answer hides of the accounts of this server (TP-64).
type Pretence string

// The pretences. With all but NoPretence an answer takes a random time, and does
// not wait for the delivery.
const (
	// NoPretence: the caller has told everything already.
	NoPretence Pretence = ""
	// Discreet: the address is validated indeed; the answer looks like that of the
	// other two.
	Discreet Pretence = "discreet"
	// PretendUnused: the address belongs to an account. It gets a mail that says so,
	// and the session can never be validated.
	PretendUnused Pretence = "unused"
	// PretendUsed: no account has the address. Nothing is sent, and the session can
	// never be validated.
	PretendUsed Pretence = "used"
)

// Errors of [Service.Send], [Service.Validated] and [Service.Use], for which the
// two APIs have different codes.
var (
	// ErrSend: the message was refused for good (TP-45, TP-46, TP-65).
	ErrSend = errors.New("validation: the message was refused")
	// ErrUnknown: there is no such session of these purposes with this secret.
	ErrUnknown = errors.New("validation: no such session")
	// ErrExpired: the session is too old.
	ErrExpired = errors.New("validation: the session has expired")
	// ErrNotValidated: nobody has given the token back yet.
	ErrNotValidated = errors.New("validation: the session is not validated")
	// ErrUsed: the session has been used up (TP-31).
	ErrUsed = errors.New("validation: the session has been used")
)

// Request asks to begin a session, or to send its message again.
type Request struct {
	Purpose      Purpose
	Medium       Medium
	Address      string // canonical: of ParseEmail, or Number.MSISDN
	ClientSecret string
	SendAttempt  int64
	NextLink     string // empty: none
	// Account is the user that asks, empty for nobody. Another user's session with
	// the same secret is another session.
	Account string
	// SubmitURL is the absolute address of the GET form that a mail leads to,
	// without a query.
	SubmitURL string
	Pretend   Pretence
}

// Validated is an address that has been shown to belong to whoever knows the
// session's secret.
type Validated struct {
	Purpose Purpose
	Medium  Medium
	Address string
	Account string // as in the Request
	At      time.Time
}

// Deps is what the service stands on.
type Deps struct {
	DB     *db.DB
	Config config.Config
	// Wait waits, or gives the context's error. Nil means a timer.
	Wait func(ctx context.Context, d time.Duration) error
}

// Service runs the sessions.
type Service struct {
	db   *db.DB
	cfg  config.Config
	wait func(ctx context.Context, d time.Duration) error
}

// New makes the service.
func New(d Deps) *Service {
	return &Service{db: d.DB, cfg: d.Config, wait: d.Wait}
}

// Send begins a session, or goes on with the one that is open for the same purpose,
// medium, address, secret and account, and sends its link or code. It gives the id
// of the session, 43 characters of [0-9a-zA-Z_-].
//
// It fails with InvalidParam (secret, send_attempt, next_link), LimitExceeded
// (caller or address), DestinationRejected (phone), ThreepidMediumNotSupported, and
// ErrSend.
func (s *Service) Send(ctx context.Context, call *httpapi.Call, req Request) (sid string, err error) {
	return "", errors.New("validation: not yet")
}

// Validated gives what a session has shown. It fails with ErrUnknown, ErrExpired,
// ErrNotValidated and, together with the value, ErrUsed.
func (s *Service) Validated(tx *db.Tx, purposes []Purpose, sid, clientSecret string) (Validated, error) {
	return Validated{}, ErrUnknown
}

// Use marks a validated session as used up, in the transaction of the operation
// that it authorizes. Of two at once one gets ErrUsed (TP-31).
func (s *Service) Use(tx *db.Tx, sid string) error { return ErrUsed }

// SubmitRoutes gives the POST and the GET of one submit_url (TP-7 to TP-21).
func (s *Service) SubmitRoutes(path, op string, purpose Purpose, medium Medium) []httpapi.Route {
	return nil
}
