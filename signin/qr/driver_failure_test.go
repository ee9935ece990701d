package qr

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

var errTest = errors.New("something broke")

// An ending is how a device is to end; empty for success.
type ending struct {
	reason   Reason
	by       Side
	signedIn bool
}

// failures are what can go wrong, whichever device shows the code. The second pair
// of endings is for Gen2024 if it differs.
var failures = []struct {
	name              string
	set               func(*scene)
	new, existing     ending
	new24, existing24 ending
}{
	{
		name: "authorization_expired, says the homeserver",
		set: func(s *scene) {
			s.new.PollToken = func(context.Context) (TokenAnswer, error) { return TokenExpired, nil }
		},
		new: ending{reason: AuthorizationExpired, by: ThisDevice}, existing: ending{reason: AuthorizationExpired, by: OtherDevice},
	},
	{
		name: "authorization_expired, says the clock",
		set: func(s *scene) {
			s.new.PollToken = func(context.Context) (TokenAnswer, error) { return TokenPending, nil }
		},
		new: ending{reason: AuthorizationExpired, by: ThisDevice}, existing: ending{reason: AuthorizationExpired, by: OtherDevice},
	},
	{
		name: "authorization_expired, and the homeserver was away all the time",
		set: func(s *scene) {
			s.new.PollToken = func(context.Context) (TokenAnswer, error) { return TokenUnreachable, errTest }
		},
		new: ending{reason: AuthorizationExpired, by: ThisDevice}, existing: ending{reason: AuthorizationExpired, by: OtherDevice},
	},
	{
		name: "LG-7 device_already_exists",
		set:  func(s *scene) { s.devices.Store(someGrant.DeviceID, true) },
		new:  ending{reason: DeviceAlreadyExists, by: OtherDevice}, existing: ending{reason: DeviceAlreadyExists, by: ThisDevice},
	},
	{
		name: "LG-7 device_already_exists, because nobody knows",
		set: func(s *scene) {
			s.existing.CheckDevice = func(context.Context, string) DeviceAnswer { return DeviceUnknown }
		},
		new: ending{reason: DeviceAlreadyExists, by: OtherDevice}, existing: ending{reason: DeviceAlreadyExists, by: ThisDevice},
	},
	{
		name: "SX-1 device_not_found",
		set:  func(s *scene) { s.new.KeepSession = func(context.Context) error { return nil } },
		new:  ending{reason: DeviceNotFound, by: OtherDevice, signedIn: true}, existing: ending{reason: DeviceNotFound, by: ThisDevice},
	},
	{
		name: "unexpected_message_received: a message lacks what it needs",
		set: func(s *scene) {
			s.new.StartGrant = func(context.Context) (Grant, error) { return Grant{ExpiresIn: time.Hour}, nil }
		},
		new: ending{reason: UnexpectedMessage, by: OtherDevice}, existing: ending{reason: UnexpectedMessage, by: ThisDevice},
	},
	{
		name: "unsupported_protocol: no grant at the homeserver",
		set:  func(s *scene) { s.new.Discover = func(context.Context, Homeserver) error { return ErrUnsupported } },
		new:  ending{reason: UnsupportedProtocol, by: ThisDevice}, existing: ending{reason: UnsupportedProtocol, by: OtherDevice},
	},
	{
		name: "unsupported_protocol: the grant is refused",
		set: func(s *scene) {
			s.new.StartGrant = func(context.Context) (Grant, error) { return Grant{}, ErrUnsupported }
		},
		new: ending{reason: UnsupportedProtocol, by: ThisDevice}, existing: ending{reason: UnsupportedProtocol, by: OtherDevice},
	},
	{
		name: "user_cancelled: no browser wanted",
		set:  func(s *scene) { s.existing.OpenPage = func(context.Context, string) error { return ErrCancelled } },
		new:  ending{reason: UserCancelled, by: OtherDevice}, existing: ending{reason: UserCancelled, by: ThisDevice},
	},
	{
		name: "user_cancelled: the new device stops while it polls",
		set: func(s *scene) {
			s.new.PollToken = func(context.Context) (TokenAnswer, error) { s.newStop(); return TokenPending, nil }
		},
		new: ending{reason: UserCancelled, by: ThisDevice}, existing: ending{reason: UserCancelled, by: OtherDevice},
	},
	{
		name: "user_cancelled: the existing device stops out of turn, while the new one polls",
		set: func(s *scene) {
			s.new.PollToken = func(context.Context) (TokenAnswer, error) { s.existStop(); return TokenPending, nil }
		},
		new: ending{reason: UserCancelled, by: OtherDevice}, existing: ending{reason: UserCancelled, by: ThisDevice},
	},
	{
		name: "user_cancelled: the existing device stops right after it spoke",
		set: func(s *scene) {
			s.existing.OpenPage = func(ctx context.Context, _ string) error {

				time.AfterFunc(time.Millisecond, s.existStop)
				return nil
			}
		},
		new: ending{reason: UserCancelled, by: OtherDevice}, existing: ending{reason: UserCancelled, by: ThisDevice},
	},
	{
		name: "user_cancelled: the new device stops while the page is opened",
		set: func(s *scene) {
			s.existing.OpenPage = func(ctx context.Context, _ string) error { s.newStop(); <-ctx.Done(); return ctx.Err() }
		},
		new: ending{reason: UserCancelled, by: ThisDevice}, existing: ending{reason: UserCancelled, by: OtherDevice},
	},
	{
		name: "user_cancelled: the new device cannot keep its session",
		set:  func(s *scene) { s.new.KeepSession = func(context.Context) error { return errTest } },
		new:  ending{reason: Broken, by: ThisDevice, signedIn: true}, existing: ending{reason: UserCancelled, by: OtherDevice},
	},
	{
		name: "user_cancelled: an OAuth error without a reason",
		set: func(s *scene) {
			s.new.PollToken = func(context.Context) (TokenAnswer, error) { return TokenRefused, errTest }
		},
		new: ending{reason: Broken, by: ThisDevice}, existing: ending{reason: UserCancelled, by: OtherDevice},
	},
	{
		name: "user_cancelled: the keys cannot be read",
		set: func(s *scene) {
			s.existing.Secrets = func(context.Context) (Secrets, error) { return Secrets{}, errTest }
		},
		new: ending{reason: UserCancelled, by: OtherDevice, signedIn: true}, existing: ending{reason: Broken, by: ThisDevice, signedIn: true},
	},
	{
		name: "SX-9 the keys are too large",
		set: func(s *scene) {
			s.existing.Secrets = func(context.Context) (Secrets, error) {
				return Secrets{Backup: &Backup{Algorithm: "a", Key: strings.Repeat("k", 10240), Version: "1"}}, nil
			}
		},
		new: ending{reason: UserCancelled, by: OtherDevice, signedIn: true}, existing: ending{reason: Broken, by: ThisDevice, signedIn: true},
	},
	{
		name: "unable_to_open_verification_uri: no browser",
		set:  func(s *scene) { s.existing.OpenPage = func(context.Context, string) error { return errTest } },
		new:  ending{reason: UnableToOpenURI, by: OtherDevice}, existing: ending{reason: UnableToOpenURI, by: ThisDevice},
		new24: ending{reason: UserCancelled, by: OtherDevice}, existing24: ending{reason: UnableToOpenURI, by: ThisDevice},
	},
	{
		name: "unable_to_open_verification_uri: a scheme that is not opened",
		set: func(s *scene) {
			s.new.StartGrant = func(context.Context) (Grant, error) {
				return Grant{DeviceID: "ABCDEFGHIJ", VerificationURI: "javascript:alert(1)", ExpiresIn: time.Hour}, nil
			}
		},
		new: ending{reason: UnableToOpenURI, by: OtherDevice}, existing: ending{reason: UnableToOpenURI, by: ThisDevice},
		new24: ending{reason: UserCancelled, by: OtherDevice}, existing24: ending{reason: UnableToOpenURI, by: ThisDevice},
	},
	{
		name: "LG-1 declined",
		set: func(s *scene) {
			s.new.PollToken = func(context.Context) (TokenAnswer, error) { return TokenDenied, nil }
		},
		new: ending{reason: Declined, by: ThisDevice}, existing: ending{reason: Declined, by: OtherDevice},
	},
	{
		name: "the session runs out",
		set: func(s *scene) {
			s.new.PollToken = func(context.Context) (TokenAnswer, error) { s.session.expire(); return TokenPending, nil }
		},
		new: ending{reason: SessionOver, by: ThisDevice}, existing: ending{reason: SessionOver, by: ThisDevice},
	},
	{
		name: "the keys cannot be used",
		set:  func(s *scene) { s.new.ImportSecrets = func(context.Context, Secrets) error { return errTest } },
		new:  ending{reason: Broken, by: ThisDevice, signedIn: true},
	},
}

func TestFailures(t *testing.T) {
	for _, f := range failures {
		t.Run(f.name, func(t *testing.T) {
			everyWay(t, func(t *testing.T, profile Profile, newShows bool) {
				s := newScene(t, profile, newShows)
				f.set(s)
				newErr, existingErr := s.run(t)
				wantNew, wantExisting := f.new, f.existing
				if profile.Generation() == Gen2024 && f.new24 != (ending{}) {
					wantNew, wantExisting = f.new24, f.existing24
				}
				wantNew.check(t, "new device", newErr)
				wantExisting.check(t, "existing device", existingErr)
				if s.gaveSecrets && wantNew.reason != "" && !wantNew.signedIn {
					t.Error("SX-1: the keys were fetched")
				}
				if !s.session.gone {
					t.Error("nobody deleted the session")
				}
			})
		})
	}
}

func (want ending) check(t *testing.T, who string, err error) {
	t.Helper()
	wants(t, who, err, want.reason, want.by)
	if failure, ok := errors.AsType[*Failure](err); ok && failure.SignedIn != want.signedIn {
		t.Errorf("%s: signed in: %v (%v)", who, failure.SignedIn, err)
	}
}

// TestBeforeTrust holds that nothing is said before the check code is confirmed:
// the scanner learns only that the session is over.
func TestBeforeTrust(t *testing.T) {
	shower := func(s *scene) *Screen {
		if s.newShows {
			return &s.new.Screen
		}
		return &s.existing.Screen
	}
	for _, c := range []struct {
		name   string
		set    func(*scene)
		reason Reason
		// the scanner's
		other Reason
	}{
		{"wrong check code", func(s *scene) {
			shower(s).AskDigits = func(context.Context) (string, error) { return "no", nil }
		}, WrongCheckCode, SessionOver},
		{"no digits", func(s *scene) {
			shower(s).AskDigits = func(context.Context) (string, error) { return "", ErrCancelled }
		}, UserCancelled, SessionOver},
		{"no way to ask", func(s *scene) {
			shower(s).AskDigits = func(context.Context) (string, error) { return "", errTest }
		}, Broken, SessionOver},
		{"stopped at the digits", func(s *scene) {
			s.existCtx, s.existStop = s.newCtx, s.newStop // both at one moment
			shower(s).AskDigits = func(ctx context.Context) (string, error) {
				s.newStop()
				<-ctx.Done()
				return "", ctx.Err()
			}
		}, UserCancelled, UserCancelled},
		{"SC-2 another profile", func(s *scene) {
			s.scannerProfile = map[Profile]Profile{Seed: Deployed, Deployed: Seed, MSC4388: MSC4388Vodozemac, MSC4388Vodozemac: MSC4388}[s.profile]
		}, Insecure, SessionOver},
	} {
		t.Run(c.name, func(t *testing.T) {
			everyWay(t, func(t *testing.T, profile Profile, newShows bool) {
				s := newScene(t, profile, newShows)
				c.set(s)
				newErr, existingErr := s.run(t)
				shown, scanned := existingErr, newErr
				if newShows {
					shown, scanned = newErr, existingErr
				}
				if s.scannerProfile != profile && profile.Generation() == Gen2025 {
					shown, scanned = scanned, shown // only the answer differs
				}
				wants(t, "shower", shown, c.reason, ThisDevice)
				wants(t, "scanner", scanned, c.other, ThisDevice)
				if !s.session.closed {
					t.Error("nobody deleted the session")
				}
				if s.opened != "" || s.gaveSecrets {
					t.Error("acted without trust")
				}
			})
		})
	}
}

func TestNotReady(t *testing.T) {
	everyWay(t, func(t *testing.T, profile Profile, newShows bool) {
		s := newScene(t, profile, newShows)
		s.existing.Ready = func(context.Context) error { s.newStop(); return errTest }
		newErr, existingErr := s.run(t)
		wants(t, "new device", newErr, UserCancelled, map[bool]Side{true: ThisDevice}[newShows])
		wants(t, "existing device", existingErr, NotReady, ThisDevice)
		if !errors.Is(existingErr, errTest) {
			t.Errorf("the cause is lost: %v", existingErr)
		}
	})
}

// TestGrantLost is row E0 of a homeserver that has lost the grant meanwhile.
func TestGrantLost(t *testing.T) {
	everyWay(t, func(t *testing.T, profile Profile, newShows bool) {
		s := newScene(t, profile, newShows)
		s.existing.OffersGrant = func(context.Context) (bool, error) { return false, nil }
		newErr, existingErr := s.run(t)
		switch {
		case newShows && profile.Generation() == Gen2025:
			// It was told an empty list, but there are no digits to confirm that.
			wants(t, "new device", newErr, SessionOver, ThisDevice)
		default:
			wants(t, "new device", newErr, UnsupportedProtocol, OtherDevice)
		}
		wants(t, "existing device", existingErr, UnsupportedProtocol, ThisDevice)
	})
}

func TestWrongIntent(t *testing.T) {
	s := newScene(t, Deployed, true)
	for _, own := range []Device{DeviceNew, DeviceExisting} {
		mailbox := &end{session: &session{version: 1}}
		code := Payload{Generation: Gen2024, ShownBy: own}
		scan := s.new.Scan
		if own == DeviceExisting {
			scan = s.existing.Scan
		}
		wants(t, "QR-9", scan(t.Context(), 0, code, mailbox), WrongIntent, ThisDevice)
		if mailbox.version != 1 || mailbox.closed {
			t.Error("QR-9: the session was touched")
		}
	}
}

func TestDriversRefuse(t *testing.T) {
	s := newScene(t, Deployed, true)
	mailbox := &end{session: &session{version: 1}}
	for name, c := range map[string]struct {
		err  error
		want error
	}{
		"an empty new device":      {(&NewDevice{}).Show(t.Context(), 0, s.place, mailbox), ErrIncomplete},
		"an empty existing device": {(&ExistingDevice{}).Scan(t.Context(), 0, s.place, mailbox), ErrIncomplete},
		"the other generation":     {s.new.Show(t.Context(), MSC4388, s.place, mailbox), ErrOrder},
		"a key of low order":       {s.new.Scan(t.Context(), 0, Payload{Generation: Gen2024, ShownBy: DeviceExisting}, mailbox), &Failure{Reason: Insecure}},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
	err := s.new.Show(t.Context(), 0, Payload{Generation: Gen2024}, mailbox)
	if _, ok := errors.AsType[*PayloadError](err); !ok {
		t.Errorf("no place: %v", err)
	}
}

// TestCrossing holds that of two devices that speak at once the one whose message
// was refused learns why the other stopped.
func TestCrossing(t *testing.T) {
	everyWay(t, func(t *testing.T, profile Profile, newShows bool) {
		s := newScene(t, profile, newShows)
		s.new.KeepSession = func(context.Context) error {
			s.existStop()
			return Pace(nil).wait(context.WithoutCancel(t.Context()), 500*time.Millisecond)
		}
		newErr, existingErr := s.run(t)
		wants(t, "existing device", existingErr, UserCancelled, ThisDevice)
		wants(t, "new device", newErr, UserCancelled, OtherDevice)
	})
}

// TestEarlyMessage holds that a message that comes while the listener is stopped,
// so that this device can speak, is not lost.
func TestEarlyMessage(t *testing.T) {
	g, s := pair(t, MSC4388)
	sealed, err := s.Seal([]byte(`{"type":"m.login.success"}`), "3")
	if err != nil {
		t.Fatal(err)
	}
	r := &runner{channel: g, mailbox: &end{session: &session{}}, inbox: &listening{stop: func() {}, done: make(chan receipt, 1)}}
	r.inbox.done <- receipt{payload: sealed, tokens: []string{"3"}}
	r.hush()
	if ev := r.next(t.Context()); ev != (received{successMessage{}}) {
		t.Errorf("got %#v", ev)
	}
	if r.early != nil || r.inbox != nil {
		t.Error("it is still there")
	}
}

func TestProfiles(t *testing.T) {
	if ProfileOf(Gen2024) != Deployed || ProfileOf(Gen2025) != MSC4388 || Profile(0).Generation() != 0 {
		t.Error("SC-2: the usual profiles have changed")
	}
}
