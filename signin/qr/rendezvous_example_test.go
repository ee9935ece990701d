package qr_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"github.com/narthex-matrix/narthex/signin/qr"
)

// Two devices pass messages through a homeserver: the one creates the session, the
// other learns its URL from the QR code.
func ExampleCreate2024() {
	ctx := context.Background()
	place := &meetingPlace{}
	place.Server = httptest.NewServer(place2024(place))
	defer place.Server.Close()

	shows, err := qr.Create2024(ctx, place.URL, qr.RendezvousOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	scans, err := qr.Open2024(ctx, shows.URL(), qr.RendezvousOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := scans.Send(ctx, "sealed message"); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(shows.Receive(ctx))
	fmt.Println(shows.Close(ctx))
	// Output:
	// sealed message <nil>
	// <nil>
}

// In the generation of 2025 the homeserver may ask for an access token before it
// creates a session, and the QR code carries the base URL and an ID.
func ExampleCreate2025() {
	ctx := context.Background()
	place := &meetingPlace{}
	place.Server = httptest.NewServer(place2025(path2025)(place))
	defer place.Server.Close()

	options := qr.RendezvousOptions{AccessToken: "secret"}
	fmt.Println(qr.CanCreate2025(ctx, place.URL, options))
	shows, err := qr.Create2025(ctx, place.URL, options)
	if err != nil {
		fmt.Println(err)
		return
	}
	scans, err := qr.Open2025(ctx, shows.BaseURL(), shows.ID(), qr.RendezvousOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := scans.Send(ctx, "sealed message"); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(shows.Receive(ctx))
	// Output:
	// true <nil>
	// sealed message <nil>
}
