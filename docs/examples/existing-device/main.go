// Command existing-device signs another device in with a QR code. It is the
// program of docs/sign-in-with-qr.md.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"time"

	qrimage "rsc.io/qr" // any library that takes bytes will do

	"github.com/narthex-matrix/narthex/signin"
	"github.com/narthex-matrix/narthex/signin/crosssigning"
	"github.com/narthex-matrix/narthex/signin/qr"
)

// account is what this device knows of itself: of the file that "narthex signin
// password" writes, the parts that are needed here.
type account struct {
	BaseURL      string                `json:"base_url"`
	UserID       string                `json:"user_id"`
	AccessToken  string                `json:"access_token"`
	CrossSigning *crosssigning.Secrets `json:"cross_signing"`
	Backup       *qr.Backup            `json:"backup"`
}

func main() {
	file := flag.String("account", "laptop.json", "the signed-in device, as narthex signin password keeps it")
	code := flag.String("code", "", "the code of the other device, in base64; without it this device shows one")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *file, *code); err != nil {
		fmt.Fprintln(os.Stderr, err) // of a *qr.Failure, a sentence for the person
		os.Exit(1)
	}
}

func run(ctx context.Context, file, code string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var a account
	if err := json.Unmarshal(raw, &a); err != nil {
		return err
	}
	driver := qr.ExistingDevice{
		Screen:      qr.Screen{ShowCode: showCode, AskDigits: askDigits, ShowDigits: showDigits},
		Homeserver:  qr.Homeserver{BaseURL: a.BaseURL},
		Ready:       a.ready,
		CheckDevice: a.checkDevice,
		OpenPage:    openPage,
		Secrets:     a.secrets,
	}
	if code != "" {
		scanned, err := base64.RawStdEncoding.DecodeString(code)
		if err != nil {
			return err
		}
		where, err := qr.Parse(scanned)
		if err != nil {
			return err
		}
		mailbox, err := qr.Open2024(ctx, where.RendezvousURL, qr.RendezvousOptions{})
		if err != nil {
			return err
		}
		err = driver.Scan(ctx, qr.Deployed, where, mailbox)
		return done(err)
	}
	mailbox, err := qr.Create2024(ctx, a.BaseURL, qr.RendezvousOptions{})
	if err != nil {
		return err
	}
	err = driver.Show(ctx, qr.Deployed, qr.Payload{Generation: qr.Gen2024, RendezvousURL: mailbox.URL()}, mailbox)
	return done(err)
}

func done(err error) error {
	if err == nil {
		fmt.Println("The new device is signed in and has the keys.")
	}
	return err
}

// showCode makes a picture of the code. The text is for trying it out.
func showCode(_ context.Context, code []byte) error {
	picture, err := qrimage.Encode(string(code), qrimage.Q)
	if err != nil {
		return err
	}
	fmt.Println("The code is in code.png, and as text:", base64.RawStdEncoding.EncodeToString(code))
	return os.WriteFile("code.png", picture.PNG(), 0o600)
}

// askDigits returns when the context ends, too: then the other device has stopped.
func askDigits(ctx context.Context) (string, error) {
	fmt.Println("Type the two digits that the other device shows:")
	typed := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(os.Stdin).ReadString('\n')
		typed <- strings.TrimSpace(line)
	}()
	select {
	case digits := <-typed:
		if digits == "" {
			return "", qr.ErrCancelled
		}
		return digits, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func showDigits(_ context.Context, digits string) error {
	fmt.Println("The connection is secure. Type on the other device:", digits)
	return nil
}

// ready makes sure that this device can sign another one in, before it shows a code.
func (a account) ready(ctx context.Context) error {
	home, err := (&signin.Client{}).Discover(ctx, a.BaseURL)
	if err != nil {
		return err
	}
	if !home.Metadata.HasDeviceGrant() {
		return signin.ErrNoDeviceGrant
	}
	if a.CrossSigning == nil {
		return errors.New("this device has no cross-signing keys")
	}
	identity, err := crosssigning.Import(a.UserID, *a.CrossSigning)
	if err != nil {
		return err
	}
	status, answer, err := a.call(ctx, http.MethodPost, "/_matrix/client/v3/keys/query", map[string]any{"device_keys": map[string]any{a.UserID: []string{}}})
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("the homeserver answered %d: %s", status, answer)
	}
	published, err := crosssigning.ParsePublished(answer, a.UserID)
	if err != nil {
		return err
	}
	return identity.Check(published) // they may have been replaced
}

// checkDevice says what the homeserver knows. Whatever is not certain is unknown.
func (a account) checkDevice(ctx context.Context, deviceID string) qr.DeviceAnswer {
	status, answer, err := a.call(ctx, http.MethodGet, "/_matrix/client/v3/devices/"+url.PathEscape(deviceID), nil)
	switch {
	case err == nil && status == http.StatusOK:
		return qr.DevicePresent
	case err == nil && status == http.StatusNotFound && bytes.Contains(answer, []byte("M_NOT_FOUND")):
		return qr.DeviceAbsent
	}
	return qr.DeviceUnknown
}

// openPage is for the system's browser; never a web view, where people cannot see
// whose page it is.
func openPage(_ context.Context, address string) error {
	fmt.Println("Open this page and agree, if it shows the code of the new device:", address)
	return nil
}

// secrets is called when the homeserver knows the new device, and not before.
func (a account) secrets(context.Context) (qr.Secrets, error) {
	keys := qr.CrossSigning(*a.CrossSigning)
	return qr.Secrets{CrossSigning: &keys, Backup: a.Backup}, nil
}

func (a account) call(ctx context.Context, method, path string, body any) (int, []byte, error) {
	var payload io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		payload = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.BaseURL+path, payload)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+a.AccessToken)
	api := &http.Client{Timeout: 30 * time.Second}
	resp, err := api.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	return resp.StatusCode, answer, err
}
