package qr_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/narthex-matrix/narthex/signin/qr"
)

// A phone that is signed in shows a code, and a laptop that is not scans it. Here
// both are in one program, and the homeserver says yes to everything.
func Example() {
	ctx := context.Background()
	place := openPlace(place2024)
	defer place.Server.Close()

	codes := make(chan []byte, 1)    // stands for the camera
	digits := make(chan string, 1)   // stands for the person
	approved := make(chan struct{})  // stands for the browser
	devices := make(map[string]bool) // stands for the homeserver
	var mu sync.Mutex

	phone := qr.ExistingDevice{
		Screen: qr.Screen{
			ShowCode:  func(_ context.Context, code []byte) error { codes <- code; return nil },
			AskDigits: func(context.Context) (string, error) { return <-digits, nil },
		},
		Homeserver: qr.Homeserver{BaseURL: "https://matrix.example.org", ServerName: "example.org"},
		Ready:      func(context.Context) error { return nil },
		CheckDevice: func(_ context.Context, deviceID string) qr.DeviceAnswer {
			mu.Lock()
			defer mu.Unlock()
			if devices[deviceID] {
				return qr.DevicePresent
			}
			return qr.DeviceAbsent
		},
		OpenPage: func(_ context.Context, url string) error {
			fmt.Println("phone: opens", url)
			close(approved)
			return nil
		},
		Secrets: func(context.Context) (qr.Secrets, error) {
			return qr.Secrets{CrossSigning: &qr.CrossSigning{MasterKey: "m", SelfSigningKey: "s", UserSigningKey: "u"}}, nil
		},
		Pace: faster,
	}
	laptop := qr.NewDevice{
		Screen: qr.Screen{
			ShowDigits: func(_ context.Context, two string) error { digits <- two; return nil },
		},
		Discover: func(_ context.Context, home qr.Homeserver) error {
			fmt.Println("laptop: signs in at", home.BaseURL)
			return nil
		},
		StartGrant: func(context.Context) (qr.Grant, error) {
			return qr.Grant{DeviceID: "ABCDEFGHIJ", UserCode: "BCDF-GHJK", VerificationURI: "https://matrix.example.org/link", ExpiresIn: time.Hour}, nil
		},
		ShowUserCode: func(_ context.Context, grant qr.Grant) error {
			fmt.Println("laptop: compare", grant.UserCode)
			return nil
		},
		PollToken: func(context.Context) (qr.TokenAnswer, error) {
			<-approved
			return qr.TokenGranted, nil
		},
		KeepSession: func(context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			devices["ABCDEFGHIJ"] = true
			return nil
		},
		ImportSecrets: func(_ context.Context, secrets qr.Secrets) error {
			fmt.Println("laptop: has the keys:", secrets.CrossSigning != nil)
			return nil
		},
		Pace: faster,
	}

	options := qr.RendezvousOptions{Wait: faster}
	var both sync.WaitGroup
	both.Go(func() {
		mailbox, err := qr.Create2024(ctx, place.URL, options)
		if err != nil {
			fmt.Println(err)
			return
		}
		where := qr.Payload{Generation: qr.Gen2024, RendezvousURL: mailbox.URL()}
		if err := phone.Show(ctx, qr.Deployed, where, mailbox); err != nil {
			fmt.Println("phone:", err)
		}
	})
	both.Go(func() {
		code, err := qr.Parse(<-codes)
		if err != nil {
			fmt.Println(err)
			return
		}
		mailbox, err := qr.Open2024(ctx, code.RendezvousURL, options)
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := laptop.Scan(ctx, qr.Deployed, code, mailbox); err != nil {
			fmt.Println("laptop:", err)
		}
	})
	both.Wait()
	// Output:
	// laptop: signs in at https://matrix.example.org
	// phone: opens https://matrix.example.org/link
	// laptop: compare BCDF-GHJK
	// laptop: has the keys: true
}

// openPlace starts a server of rendezvous sessions.
func openPlace(handler func(*meetingPlace) http.Handler) *meetingPlace {
	place := &meetingPlace{revision: 1}
	h := handler(place)
	place.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		place.mu.Lock()
		defer place.mu.Unlock()
		h.ServeHTTP(w, r)
	}))
	return place
}

// faster makes a hundredth of every wait. Programs leave Pace and Wait nil.
func faster(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d / 100)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func ExampleParse() {
	code, err := hex.DecodeString("4d41545249580304")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = qr.Parse(code)
	var refusal *qr.PayloadError
	fmt.Println(errors.As(err, &refusal) && refusal.Problem == qr.UnknownIntent)
	fmt.Println(err)
	// Output:
	// true
	// This sign-in code does not say which of the devices is the new one. Update the app on the other device and show a new code.
}

func ExampleFailure() {
	var err error = &qr.Failure{Reason: qr.UserCancelled, By: qr.OtherDevice}
	var failure *qr.Failure
	if errors.As(err, &failure) {
		fmt.Println(failure.Reason)
		fmt.Println(failure)
	}
	// Output:
	// user_cancelled
	// The sign-in was stopped on the other device. To sign in, start again with a new code; if you did not stop it, look at the other device.
}

// Programs with a loop of their own use the channel without the drivers.
func ExampleChannel() {
	shows, err := qr.NewGenerator(qr.Deployed, qr.Payload{})
	if err != nil {
		fmt.Println(err)
		return
	}
	scans, err := qr.NewScanner(qr.Deployed, qr.Payload{Key: shows.PublicKey()})
	if err != nil {
		fmt.Println(err)
		return
	}
	// The tokens are empty in the generation of 2024.
	hello, err := scans.Initiate("")
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := shows.Answer(hello, "", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := scans.Finish(answer, ""); err != nil {
		fmt.Println(err)
		return
	}
	digits, err := scans.CheckCode()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(shows.CheckDigits(digits))
	// Output:
	// true <nil>
}
