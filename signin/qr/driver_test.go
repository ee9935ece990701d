package qr

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// session is a rendezvous session in memory; end is one device's side of it.
type session struct {
	mu      sync.Mutex
	payload string
	writer  *end
	version int
	gone    bool
	closed  bool // by a device
}

type end struct {
	*session
	generation            Generation
	known, read, lastRead int // versions: of the tag, of the last message, of the last poll
	wrote                 int
}

func (e *end) Send(_ context.Context, payload string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.gone:
		return ErrMailboxGone
	case e.version != e.known:
		return ErrMailboxConflict
	}
	e.version++
	e.payload, e.writer, e.known, e.wrote = payload, e, e.version, e.version
	return nil
}

func (e *end) Receive(ctx context.Context) (string, error) {
	for {
		payload, found, err := e.poll()
		if found || err != nil {
			return payload, err
		}
		if err := Pace(nil).wait(ctx, time.Second); err != nil {
			return "", err
		}
	}
}

func (e *end) poll() (payload string, found bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gone {
		return "", false, ErrMailboxGone
	}
	e.lastRead, e.known = e.version, e.version
	if e.writer == nil || e.writer == e || e.read == e.version {
		return "", false, nil
	}
	e.read = e.version
	return e.payload, true, nil
}

func (e *end) token(version int) string {
	if e.generation == Gen2024 {
		return ""
	}
	return "token" + strconv.Itoa(version)
}

func (e *end) SealToken() string { return e.token(e.lastRead) }
func (e *end) OpenToken() string { return e.token(e.wrote) }

func (e *end) Close(context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.gone, e.closed = true, true
	return nil
}

func (s *session) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
}

// scene is a sign-in with everything around it. Tests change it before run.
type scene struct {
	profile, scannerProfile Profile
	newShows                bool
	place                   Payload
	new                     NewDevice
	existing                ExistingDevice

	session     *session
	newCtx      context.Context
	newStop     context.CancelFunc
	existCtx    context.Context
	existStop   context.CancelFunc
	codes       chan []byte
	digits      chan string
	approved    bool // written by OpenPage, read by PollToken: the messages order them
	devices     sync.Map
	imported    Secrets
	seenHome    Homeserver
	opened      string
	gaveSecrets bool
}

var someSecrets = Secrets{
	CrossSigning: &CrossSigning{MasterKey: "m", SelfSigningKey: "s", UserSigningKey: "u"},
	Backup:       &Backup{Algorithm: "m.megolm_backup.v1.curve25519-aes-sha2", Key: "k", Version: "1"},
}

func newScene(t *testing.T, profile Profile, newShows bool) *scene {
	t.Helper()
	s := &scene{profile: profile, scannerProfile: profile, newShows: newShows, session: &session{version: 1},
		codes: make(chan []byte, 1), digits: make(chan string, 1), approved: false}
	s.newCtx, s.newStop = context.WithCancel(t.Context())
	s.existCtx, s.existStop = context.WithCancel(t.Context())
	s.place = Payload{Generation: profile.Generation()}
	if profile.Generation() == Gen2024 {
		s.place.RendezvousURL = sampleURL
	} else {
		s.place.RendezvousID, s.place.BaseURL = sampleID, sampleBase+"/"
	}
	screen := Screen{
		ShowCode:   func(_ context.Context, code []byte) error { s.codes <- code; return nil },
		ShowDigits: func(_ context.Context, digits string) error { s.digits <- digits; return nil },
		AskDigits:  s.typeDigits,
	}
	s.new = NewDevice{
		Screen:       screen,
		Discover:     func(_ context.Context, home Homeserver) error { s.seenHome = home; return nil },
		StartGrant:   func(context.Context) (Grant, error) { return someGrant, nil },
		ShowUserCode: func(context.Context, Grant) error { return nil },
		PollToken: func(context.Context) (TokenAnswer, error) {
			if s.approved {
				return TokenGranted, nil
			}
			return TokenPending, nil
		},
		KeepSession:   func(context.Context) error { s.devices.Store(someGrant.DeviceID, true); return nil },
		ImportSecrets: func(_ context.Context, secrets Secrets) error { s.imported = secrets; return nil },
	}
	s.existing = ExistingDevice{
		Screen:     screen,
		Homeserver: Homeserver{BaseURL: sampleBase, ServerName: "matrix.org"},
		Ready:      func(context.Context) error { return nil },
		CheckDevice: func(_ context.Context, id string) DeviceAnswer {
			if _, found := s.devices.Load(id); found {
				return DevicePresent
			}
			return DeviceAbsent
		},
		OpenPage: func(_ context.Context, url string) error { s.opened, s.approved = url, true; return nil },
		Secrets:  func(context.Context) (Secrets, error) { s.gaveSecrets = true; return someSecrets, nil },
	}
	return s
}

var someGrant = Grant{DeviceID: "ABCDEFGHIJ", UserCode: "WXYZ", VerificationURI: "https://a.org/link",
	VerificationURIComplete: "https://a.org/link?code=WXYZ", ExpiresIn: 20 * time.Minute}

func (s *scene) typeDigits(ctx context.Context) (string, error) {
	select {
	case digits := <-s.digits:
		return digits, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// run runs both devices, in a bubble where time passes by itself, and fails the
// test if one of them leaves a goroutine behind.
func (s *scene) run(t *testing.T) (newErr, existingErr error) {
	t.Helper()
	shower := &end{session: s.session, generation: s.profile.Generation(), known: 1, read: 1, lastRead: 1, wrote: 1}
	scanner := &end{session: s.session, generation: s.profile.Generation(), known: 1, read: 1, lastRead: 1}
	read := func(ctx context.Context) (Payload, error) {
		select {
		case code := <-s.codes:
			return Parse(code)
		case <-ctx.Done():
			return Payload{}, &Failure{Reason: UserCancelled}
		}
	}
	var group sync.WaitGroup
	group.Go(func() {
		if s.newShows {
			newErr = s.new.Show(s.newCtx, s.profile, s.place, shower)
		} else if code, err := read(s.newCtx); err != nil {
			newErr = err
		} else {
			newErr = s.new.Scan(s.newCtx, s.scannerProfile, code, scanner)
		}
	})
	group.Go(func() {
		if !s.newShows {
			existingErr = s.existing.Show(s.existCtx, s.profile, s.place, shower)
		} else if code, err := read(s.existCtx); err != nil {
			existingErr = err
		} else {
			existingErr = s.existing.Scan(s.existCtx, s.scannerProfile, code, scanner)
		}
	})
	group.Wait()
	s.newStop()
	s.existStop()
	return newErr, existingErr
}

func inBubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

// everyWay runs a test for both directions of scanning with every profile.
func everyWay(t *testing.T, f func(t *testing.T, profile Profile, newShows bool)) {
	t.Helper()
	for name, profile := range profiles {
		for way, newShows := range map[string]bool{"new device shows": true, "existing device shows": false} {
			inBubble(t, name+", "+way, func(t *testing.T) { f(t, profile, newShows) })
		}
	}
}

func TestSignIn(t *testing.T) {
	everyWay(t, func(t *testing.T, profile Profile, newShows bool) {
		s := newScene(t, profile, newShows)
		newErr, existingErr := s.run(t)
		if newErr != nil || existingErr != nil {
			t.Fatalf("new device: %v; existing device: %v", newErr, existingErr)
		}
		if s.imported.CrossSigning == nil || *s.imported.CrossSigning != *someSecrets.CrossSigning || *s.imported.Backup != *someSecrets.Backup {
			t.Errorf("SX-1 secrets: %+v", s.imported)
		}
		if want := (Homeserver{BaseURL: sampleBase}); s.seenHome != want {
			t.Errorf("LG-2 homeserver: %+v", s.seenHome)
		}
		if s.opened != someGrant.VerificationURIComplete {
			t.Errorf("opened %q", s.opened)
		}
		if !s.session.closed {
			t.Error("nobody deleted the session")
		}
	})
}

func TestSignInByServerName(t *testing.T) {
	inBubble(t, "LG-2", func(t *testing.T) {
		s := newScene(t, Deployed, false)
		s.place.ServerName = "matrix.org"
		if newErr, existingErr := s.run(t); newErr != nil || existingErr != nil || s.seenHome.ServerName != "matrix.org" {
			t.Errorf("%v, %v, %+v", newErr, existingErr, s.seenHome)
		}
	})
}

// wants checks how a device ended.
func wants(t *testing.T, who string, err error, reason Reason, by Side) {
	t.Helper()
	if reason == "" {
		if err != nil {
			t.Errorf("%s: %v", who, err)
		}
		return
	}
	failure, ok := errors.AsType[*Failure](err)
	if !ok || failure.Reason != reason || failure.By != by {
		t.Errorf("%s: %#v (%v), want %s by %d", who, err, err, reason, by)
	}
}
