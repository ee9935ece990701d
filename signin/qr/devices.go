package qr

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrCancelled is for callbacks to return when the person wants to stop: the
	// other device is told so, if it is certain who that is.
	ErrCancelled = errors.New("the person stopped the sign-in")
	// ErrUnsupported is for Discover and StartGrant to return when the homeserver
	// does not offer what is needed.
	ErrUnsupported = errors.New("the homeserver does not offer sign-in with a QR code")
	// ErrIncomplete says that a driver lacks a callback. It is a mistake of the
	// program that calls.
	ErrIncomplete = errors.New("a callback of the QR sign-in is missing")
)

// Pace is how a driver waits for time to pass: it returns nil after d, or the
// context's error if that ends first. A nil Pace is a real timer.
type Pace func(ctx context.Context, d time.Duration) error

func (p Pace) wait(ctx context.Context, d time.Duration) error {
	if p != nil {
		return p(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Screen is how either device speaks with the person in front of it.
type Screen struct {
	// ShowCode shows these bytes as a QR code in binary mode, and returns. Only
	// Show uses it. The code is of no more use once AskDigits is called.
	ShowCode func(ctx context.Context, code []byte) error
	// AskDigits asks for the two digits that the other device shows. Only Show
	// uses it. There is one attempt.
	AskDigits func(ctx context.Context) (string, error)
	// ShowDigits says that the connection is secure and shows two digits for the
	// person to type on the other device, and returns. Only Scan uses it.
	ShowDigits func(ctx context.Context, digits string) error
}

// NewDevice signs this device in with the help of one that is signed in. All
// callbacks are needed, except those of Screen that the other method uses.
//
// A callback that waits must return when its context ends, which happens when the
// other device stops: the driver does not return before. An error of a callback
// ends the sign-in as Broken, unless it is ErrCancelled or ErrUnsupported.
type NewDevice struct {
	Screen
	// Discover learns what the homeserver offers (auth_metadata) and makes sure
	// of a client ID. It returns ErrUnsupported if the device authorization grant
	// or the means to register are missing.
	Discover func(ctx context.Context, homeserver Homeserver) error
	// StartGrant asks for a device code for a new random device ID.
	StartGrant func(ctx context.Context) (Grant, error)
	// ShowUserCode shows the code to compare with that on the homeserver's page,
	// and returns.
	ShowUserCode func(ctx context.Context, grant Grant) error
	// PollToken asks for the token once; the driver keeps the intervals. It may as
	// well wait for the outcome itself. The error is the cause that a Failure gets,
	// and may be nil.
	PollToken func(ctx context.Context) (TokenAnswer, error)
	// KeepSession stores the tokens and asks the homeserver whose they are
	// (GET /account/whoami). The person may be asked to confirm the account.
	KeepSession func(ctx context.Context) error
	// ImportSecrets checks the keys against the public ones, uses them, and
	// uploads the device's keys with the cross-signature in one request.
	ImportSecrets func(ctx context.Context, secrets Secrets) error
	// Pace waits; nil for a real timer.
	Pace Pace
}

// Show signs this device in by a code that it shows. The mailbox is one that the
// caller has just created, and place says where: Generation and Unstable, and
// RendezvousURL, or RendezvousID and BaseURL of the homeserver that keeps it.
// The profile 0 stands for ProfileOf(place.Generation).
//
// The error is nil, or a *Failure, or says that a code cannot be made
// (*PayloadError), that a callback is missing (ErrIncomplete), or that the profile
// is of the other generation (ErrOrder). Failure.SignedIn says whether the device
// has a session nevertheless. The session of the mailbox is deleted, or left for
// the other device to delete; only ErrIncomplete leaves it as it was.
func (d *NewDevice) Show(ctx context.Context, profile Profile, place Payload, mailbox Mailbox) error {
	place.ShownBy = DeviceNew
	return d.run(ctx, profile, place, mailbox, true)
}

// Scan signs this device in by a code that it has scanned, with a mailbox that has
// read the session once. Profile and error are those of Show. A code that another
// new device shows is refused as WrongIntent, and its session not touched.
func (d *NewDevice) Scan(ctx context.Context, profile Profile, code Payload, mailbox Mailbox) error {
	return d.run(ctx, profile, code, mailbox, false)
}

func (d *NewDevice) run(ctx context.Context, profile Profile, code Payload, mailbox Mailbox, shows bool) error {
	if !d.Screen.complete(shows) || d.Discover == nil || d.StartGrant == nil || d.ShowUserCode == nil || d.PollToken == nil || d.KeepSession == nil || d.ImportSecrets == nil {
		return ErrIncomplete
	}
	machine := newcomer{scanned: !shows, homeserver: Homeserver{BaseURL: code.BaseURL, ServerName: code.ServerName}}
	r := &runner{own: DeviceNew, code: code, shows: shows, mailbox: mailbox, screen: d.Screen, pace: d.Pace, act: d.act}
	r.step = func(ev event) (effects []effect) {
		machine, effects = machine.step(ev)
		return effects
	}
	return r.run(ctx, profile)
}

func (d *NewDevice) act(ctx context.Context, what effect) (event, error) {
	switch what := what.(type) {
	case discover:
		return supported(discovered{}, d.Discover(ctx, what.homeserver))
	case startGrant:
		grant, err := d.StartGrant(ctx)
		return supported(grantStarted{grant}, err)
	case showUserCode:
		return nil, d.ShowUserCode(ctx, what.grant)
	case startClock:
		return clockRanOut{}, d.Pace.wait(ctx, what.after)
	case pollToken:
		if err := d.Pace.wait(ctx, what.after); err != nil {
			return nil, err
		}
		answer, err := d.PollToken(ctx)
		if errors.Is(err, ErrCancelled) {
			return nil, err
		}
		return polled{answer: answer, cause: err}, nil
	case keepSession:
		return signedIn{}, d.KeepSession(ctx)
	case importSecrets:
		return imported{}, d.ImportSecrets(ctx, what.secrets)
	}
	return nil, nil
}

func supported(ev event, err error) (event, error) {
	if errors.Is(err, ErrUnsupported) {
		return unsupported{cause: err}, nil
	}
	return ev, err
}

// ExistingDevice signs another device in to the account of this one. All
// callbacks are needed, except OffersGrant and those of Screen that the other
// method uses. What NewDevice says of callbacks holds here too.
type ExistingDevice struct {
	Screen
	// Homeserver is the account's: BaseURL is needed, ServerName goes into some
	// messages.
	Homeserver Homeserver
	// Ready makes sure, before anything else, that the homeserver offers the
	// device authorization grant and that this device holds the three private
	// keys of cross-signing. An error ends the sign-in as NotReady.
	Ready func(ctx context.Context) error
	// OffersGrant asks once more, when the devices have met, whether the
	// homeserver offers the grant. Nil stands for yes.
	OffersGrant func(ctx context.Context) (bool, error)
	// CheckDevice asks whether the account has this device
	// (GET /_matrix/client/v3/devices/{deviceId}; the ID may need escaping).
	// Anything but 200 and 404, errors of the network too, is DeviceUnknown.
	CheckDevice func(ctx context.Context, deviceID string) DeviceAnswer
	// OpenPage opens the page on which to approve, https or on loopback, in the
	// system's browser. It returns ErrCancelled if the person does not want that,
	// and another error if there is no browser.
	OpenPage func(ctx context.Context, url string) error
	// Secrets gives the keys to hand over. It is called only once the homeserver
	// shows the new device.
	Secrets func(ctx context.Context) (Secrets, error)
	// Pace waits; nil for a real timer.
	Pace Pace
}

// Show signs another device in by a code that this one shows. The parameters and
// the error are those of NewDevice.Show; if place has neither BaseURL nor
// ServerName, BaseURL is the homeserver's.
func (d *ExistingDevice) Show(ctx context.Context, profile Profile, place Payload, mailbox Mailbox) error {
	place.ShownBy = DeviceExisting
	if place.BaseURL == "" && place.ServerName == "" {
		place.BaseURL = d.Homeserver.BaseURL
	}
	return d.run(ctx, profile, place, mailbox, true)
}

// Scan signs another device in by its code, which this one has scanned. The
// parameters and the error are those of NewDevice.Scan.
func (d *ExistingDevice) Scan(ctx context.Context, profile Profile, code Payload, mailbox Mailbox) error {
	return d.run(ctx, profile, code, mailbox, false)
}

func (d *ExistingDevice) run(ctx context.Context, profile Profile, code Payload, mailbox Mailbox, shows bool) error {
	if !d.Screen.complete(shows) || d.Ready == nil || d.CheckDevice == nil || d.OpenPage == nil || d.Secrets == nil || d.Homeserver.BaseURL == "" {
		return ErrIncomplete
	}
	machine := existing{generation: code.Generation, scanned: !shows, homeserver: d.Homeserver}
	r := &runner{own: DeviceExisting, code: code, shows: shows, mailbox: mailbox, screen: d.Screen, pace: d.Pace, act: d.act, ready: d.Ready, offers: d.OffersGrant}
	r.step = func(ev event) (effects []effect) {
		machine, effects = machine.step(ev)
		return effects
	}
	return r.run(ctx, profile)
}

func (d *ExistingDevice) act(ctx context.Context, what effect) (event, error) {
	switch what := what.(type) {
	case checkDevice:
		if err := d.Pace.wait(ctx, what.after); err != nil {
			return nil, err
		}
		return deviceChecked{d.CheckDevice(ctx, what.id)}, nil
	case openPage:
		err := d.OpenPage(ctx, what.url)
		if err != nil && !errors.Is(err, ErrCancelled) && ctx.Err() == nil {
			return pageFailed{err}, nil
		}
		return pageOpened{}, err
	case gatherSecrets:
		secrets, err := d.Secrets(ctx)
		return secretsReady{secrets}, err
	}
	return nil, nil
}

func (s Screen) complete(shows bool) bool {
	if shows {
		return s.ShowCode != nil && s.AskDigits != nil
	}
	return s.ShowDigits != nil
}
