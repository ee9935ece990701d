package qr_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/signin/qr"
)

// TestSignInOverHTTP runs whole sign-ins over the mailboxes of both generations.
func TestSignInOverHTTP(t *testing.T) {
	for _, c := range []struct {
		name    string
		handler func(*meetingPlace) http.Handler
		profile qr.Profile
		place   qr.Payload
	}{
		{"2024", place2024, qr.Deployed, qr.Payload{Generation: qr.Gen2024}},
		{"2024, the first text", place2024, qr.Seed, qr.Payload{Generation: qr.Gen2024}},
		{"2025", place2025(path2025), qr.MSC4388, qr.Payload{Generation: qr.Gen2025}},
		{"2025, unstable", place2025(path4388), qr.MSC4388Vodozemac, qr.Payload{Generation: qr.Gen2025, Unstable: true}},
	} {
		for _, newShows := range []bool{true, false} {
			t.Run(c.name+", new device shows: "+strconv.FormatBool(newShows), func(t *testing.T) {
				m := meeting{profile: c.profile, place: c.place, newShows: newShows, codes: make(chan []byte, 1), digits: make(chan string, 1)}
				m.server = openPlace(c.handler)
				t.Cleanup(m.server.Close)
				newErr, existingErr := m.run(t)
				if newErr != nil || existingErr != nil {
					t.Fatalf("new device: %v; existing device: %v", newErr, existingErr)
				}
				if diff := cmp.Diff(m.keys(), m.imported); diff != "" {
					t.Error(diff)
				}
				if !m.server.gone {
					t.Error("the session is still there")
				}
			})
			t.Run(c.name+", stopped, new device shows: "+strconv.FormatBool(newShows), func(t *testing.T) {
				m := meeting{profile: c.profile, place: c.place, newShows: newShows, codes: make(chan []byte, 1), digits: make(chan string, 1), stop: true}
				m.server = openPlace(c.handler)
				t.Cleanup(m.server.Close)
				newErr, existingErr := m.run(t)
				failure, ok := errors.AsType[*qr.Failure](newErr)
				if !ok || failure.Reason != qr.UserCancelled || failure.By != qr.OtherDevice {
					t.Errorf("new device: %v", newErr)
				}
				if failure, ok := errors.AsType[*qr.Failure](existingErr); !ok || failure.Reason != qr.UserCancelled || failure.By != qr.ThisDevice {
					t.Errorf("existing device: %v", existingErr)
				}
			})
		}
	}
}

// meeting is two devices and a homeserver that says yes.
type meeting struct {
	profile  qr.Profile
	place    qr.Payload
	newShows bool
	stop     bool // the existing device stops while the new one asks for the token
	server   *meetingPlace
	codes    chan []byte
	digits   chan string
	there    atomic.Bool
	imported qr.Secrets
}

func (m *meeting) keys() qr.Secrets {
	return qr.Secrets{CrossSigning: &qr.CrossSigning{MasterKey: "m", SelfSigningKey: "s", UserSigningKey: "u"}}
}

type shows func(context.Context, qr.Profile, qr.Payload, qr.Mailbox) error

func (m *meeting) run(t *testing.T) (newErr, existingErr error) {
	ctx, stopExisting := context.WithCancel(t.Context())
	defer stopExisting()
	screen := qr.Screen{
		ShowCode:   func(_ context.Context, code []byte) error { m.codes <- code; return nil },
		ShowDigits: func(_ context.Context, digits string) error { m.digits <- digits; return nil },
		AskDigits:  func(context.Context) (string, error) { return <-m.digits, nil },
	}
	joins := qr.NewDevice{
		Screen:   screen,
		Discover: func(context.Context, qr.Homeserver) error { return nil },
		StartGrant: func(context.Context) (qr.Grant, error) {
			return qr.Grant{DeviceID: "ABCDEFGHIJ", VerificationURI: "https://a.org/link", ExpiresIn: time.Hour}, nil
		},
		ShowUserCode: func(context.Context, qr.Grant) error { return nil },
		PollToken: func(context.Context) (qr.TokenAnswer, error) {
			if m.stop {
				stopExisting()
				return qr.TokenPending, nil
			}
			return qr.TokenGranted, nil
		},
		KeepSession:   func(context.Context) error { m.there.Store(true); return nil },
		ImportSecrets: func(_ context.Context, secrets qr.Secrets) error { m.imported = secrets; return nil },
		Pace:          faster,
	}
	helps := qr.ExistingDevice{
		Screen:     screen,
		Homeserver: qr.Homeserver{BaseURL: "https://a.org"},
		Ready:      func(context.Context) error { return nil },
		CheckDevice: func(context.Context, string) qr.DeviceAnswer {
			if m.there.Load() {
				return qr.DevicePresent
			}
			return qr.DeviceAbsent
		},
		OpenPage: func(context.Context, string) error { return nil },
		Secrets:  func(context.Context) (qr.Secrets, error) { return m.keys(), nil },
	}
	newDone := make(chan struct{})
	helps.Pace = func(pace context.Context, d time.Duration) error {
		if ctx.Err() == nil {
			return faster(pace, d)
		}
		// The time to read the last message, however busy the machine is.
		select {
		case <-newDone:
			return nil
		case <-pace.Done():
			return pace.Err()
		}
	}
	var both sync.WaitGroup
	both.Go(func() {
		defer close(newDone)
		if m.newShows {
			newErr = m.show(t.Context(), joins.Show)
		} else {
			newErr = m.scan(t.Context(), joins.Scan)
		}
	})
	both.Go(func() {
		if m.newShows {
			existingErr = m.scan(ctx, helps.Scan)
		} else {
			existingErr = m.show(ctx, helps.Show)
		}
	})
	both.Wait()
	return newErr, existingErr
}

func (m *meeting) options() qr.RendezvousOptions {
	return qr.RendezvousOptions{Wait: faster, Unstable: m.place.Unstable, AccessToken: "secret"}
}

func (m *meeting) show(ctx context.Context, show shows) error {
	place := m.place
	if place.Generation == qr.Gen2024 {
		mailbox, err := qr.Create2024(ctx, m.server.URL, m.options())
		if err != nil {
			return err
		}
		place.RendezvousURL = mailbox.URL()
		return show(ctx, m.profile, place, mailbox)
	}
	mailbox, err := qr.Create2025(ctx, m.server.URL, m.options())
	if err != nil {
		return err
	}
	place.RendezvousID, place.BaseURL = mailbox.ID(), mailbox.BaseURL()
	return show(ctx, m.profile, place, mailbox)
}

func (m *meeting) scan(ctx context.Context, scan shows) error {
	code, err := qr.Parse(<-m.codes)
	if err != nil {
		return err
	}
	if code.Generation == qr.Gen2024 {
		mailbox, err := qr.Open2024(ctx, code.RendezvousURL, m.options())
		if err != nil {
			return err
		}
		return scan(ctx, m.profile, code, mailbox)
	}
	mailbox, err := qr.Open2025(ctx, code.BaseURL, code.RendezvousID, m.options())
	if err != nil {
		return err
	}
	return scan(ctx, m.profile, code, mailbox)
}
