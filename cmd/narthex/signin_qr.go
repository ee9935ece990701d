package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/narthex-matrix/narthex/internal/qrcode"
	"github.com/narthex-matrix/narthex/signin"
	"github.com/narthex-matrix/narthex/signin/qr"
)

// codeFlags say which device shows the code, and of which kind it is.
type codeFlags struct {
	Scan       string `xor:"read" type:"path" placeholder:"FILE" help:"Read the code of the other device from a picture, PNG or JPEG, instead of showing one."`
	Code       string `xor:"read" placeholder:"BASE64" help:"The code of the other device, as text."`
	PNG        string `name:"png" type:"path" placeholder:"FILE" help:"Write the code that is shown to a picture, too."`
	Generation string `enum:"2024,2025" default:"2024" help:"The kind of code to show: 2024 is what apps know today (MSC4108), 2025 is MSC4388."`
	Profile    string `enum:"seed,deployed,msc4388,vodozemac," default:"" help:"The cryptography, if it is not the usual one of the generation (deployed, msc4388): seed is the first text of MSC4108, vodozemac the reading of MSC4388 in that library."`
}

func (f codeFlags) scans() bool { return f.Scan != "" || f.Code != "" }

func (f codeFlags) generation() qr.Generation {
	if f.Generation == "2025" {
		return qr.Gen2025
	}
	return qr.Gen2024
}

func (f codeFlags) profile() qr.Profile {
	return map[string]qr.Profile{"seed": qr.Seed, "deployed": qr.Deployed, "msc4388": qr.MSC4388, "vodozemac": qr.MSC4388Vodozemac}[f.Profile]
}

var errProfile = errors.New("this --profile is not one for codes of this generation")

// check refuses flags that contradict each other, before anything happens.
func (f codeFlags) check() error {
	if p := f.profile(); p != 0 && !f.scans() && p.Generation() != f.generation() {
		return errProfile
	}
	return nil
}

// read gives the other device's code.
func (f codeFlags) read() (qr.Payload, error) {
	raw, err := f.bytes()
	if err != nil {
		return qr.Payload{}, err
	}
	return qr.Parse(raw)
}

func (f codeFlags) bytes() ([]byte, error) {
	if f.Scan != "" {
		return readPicture(f.Scan)
	}
	text := strings.TrimRight(strings.Map(func(r rune) rune {
		switch r {
		case '-':
			return '+'
		case '_':
			return '/'
		case ' ', '\n', '\r', '\t':
			return -1
		}
		return r
	}, f.Code), "=")
	raw, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, errNotBase64
	}
	return raw, nil
}

var errNotBase64 = errors.New("the text of --code is not base64")

// meet creates or joins the place where the devices meet. It gives the mailbox,
// and what is to stand in the code or stands in it. own is the device that this
// one is.
func (f codeFlags) meet(ctx context.Context, con *console, own qr.Device, base, token string) (qr.Payload, qr.Mailbox, error) {
	options := qr.RendezvousOptions{HTTP: newHTTP(nil), Wait: con.std.wait, AccessToken: token, Warn: func(err error) {
		con.tell("warning", fields{"error": err.Error()}, "Take note: "+err.Error()+".")
	}}
	if f.scans() {
		code, err := f.read()
		if err != nil {
			return code, nil, err
		}
		if err := code.CheckScanner(own); err != nil {
			return code, nil, err
		}
		if p := f.profile(); p != 0 && p.Generation() != code.Generation {
			return code, nil, errProfile
		}
		mailbox, err := join(ctx, code, options)
		return code, mailbox, err
	}
	if f.generation() == qr.Gen2024 {
		m, err := qr.Create2024(ctx, base, options)
		if err != nil {
			return qr.Payload{}, nil, err
		}
		return qr.Payload{Generation: qr.Gen2024, RendezvousURL: m.URL()}, m, nil
	}
	options.Unstable = true
	m, err := qr.Create2025(ctx, base, options)
	if errors.Is(err, qr.ErrNoRendezvous) {
		options.Unstable = false
		m, err = qr.Create2025(ctx, base, options)
	}
	if err != nil {
		return qr.Payload{}, nil, err
	}
	return qr.Payload{Generation: qr.Gen2025, Unstable: options.Unstable, RendezvousID: m.ID(), BaseURL: m.BaseURL()}, m, nil
}

func join(ctx context.Context, code qr.Payload, options qr.RendezvousOptions) (qr.Mailbox, error) {
	if code.Generation == qr.Gen2025 {
		options.Unstable = code.Unstable
		return qr.Open2025(ctx, code.BaseURL, code.RendezvousID, options)
	}
	return qr.Open2024(ctx, code.RendezvousURL, options)
}

// screen is how the console shows codes and asks for digits.
func (f codeFlags) screen(con *console, other string) qr.Screen {
	return qr.Screen{
		ShowCode: func(_ context.Context, code []byte) error { return f.show(con, code, other) },
		AskDigits: func(ctx context.Context) (string, error) {
			typed, err := con.ask(ctx, "ask_check_code", nil, "The two digits that the other device shows: ")
			return strings.TrimSpace(typed), err
		},
		ShowDigits: func(_ context.Context, digits string) error {
			con.tell("check_code", fields{"digits": digits}, "The connection is secure. Type these two digits on the other device: "+digits)
			return nil
		},
	}
}

func (f codeFlags) show(con *console, code []byte, other string) error {
	drawn, err := qrcode.Draw(code)
	if err != nil {
		return err
	}
	text := base64.RawStdEncoding.EncodeToString(code)
	more := fields{"code": text}
	if f.PNG != "" {
		if err := os.WriteFile(f.PNG, drawn.PNG(), 0o600); err != nil {
			return err
		}
		more["png"] = f.PNG
	}
	file, ok := con.std.out.(*os.File)
	colours := ok && term.IsTerminal(int(file.Fd())) && os.Getenv("NO_COLOR") == ""
	con.tell("qr", more, fmt.Sprintf("%s\nScan this with %s. Show it to nobody else.\nAs text: %s", qrcode.Blocks(drawn, colours), other, text))
	return nil
}

// supports asks what a homeserver offers, and makes sure of the device grant. What
// is missing there ends the sign-in as unsupported.
func (c *console) supports(ctx context.Context, home qr.Homeserver) (*signin.Homeserver, error) {
	found, err := c.library().Discover(ctx, home.BaseURL+home.ServerName)
	var incomplete *signin.MetadataError
	switch {
	case errors.Is(err, signin.ErrNoOAuth) || errors.As(err, &incomplete):
		return nil, errors.Join(qr.ErrUnsupported, err)
	case err != nil:
		return nil, err
	case !found.Metadata.HasDeviceGrant():
		return nil, errors.Join(qr.ErrUnsupported, signin.ErrNoDeviceGrant)
	}
	return found, nil
}

// answerAbout sorts what the homeserver says of a device: anything but a clear no
// counts against the other device.
func (c *matrixClient) answerAbout(ctx context.Context, id string) qr.DeviceAnswer {
	exists, err := c.deviceExists(ctx, id)
	var refusal *signin.MatrixError
	switch {
	case exists:
		return qr.DevicePresent
	case err == nil:
		return qr.DeviceAbsent
	case errors.As(err, &refusal) && refusal.Status == http.StatusNotFound && refusal.Code != "M_UNRECOGNIZED":
		return qr.DeviceAbsent
	}
	return qr.DeviceUnknown
}
