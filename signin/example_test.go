package signin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/narthex-matrix/narthex/signin"
)

// A program without a browser signs in: the user opens a link on another device,
// agrees there, and the program is let in.
func Example() {
	ctx := context.Background()
	client := exampleServer() // a program uses &signin.Client{}

	server, err := client.Discover(ctx, "example.org")
	if err != nil {
		fmt.Println(err) // says at which step, and what is missing
		return
	}
	app, err := server.Register(ctx, signin.ClientMetadata{ClientName: "Example", ClientURI: "https://example.com/"})
	if err != nil {
		fmt.Println(err)
		return
	}
	grant, err := server.StartDevice(ctx, app.ClientID, server.Scope(signin.NewDeviceID()))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("Open", grant.Link(), "and compare the code", grant.UserCode)
	tokens, err := server.WaitDevice(ctx, grant)
	switch {
	case errors.Is(err, signin.ErrAccessDenied):
		fmt.Println("You said no.")
		return
	case err != nil:
		fmt.Println(err)
		return
	}
	save := func(ctx context.Context, s signin.Session) error { return nil } // a program writes a file here, and syncs it
	session, err := server.Begin(ctx, app.ClientID, tokens, save)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("Signed in as", session.Session().UserID)

	api := &http.Client{Transport: session} // from here on, requests carry the token
	_ = api
	fmt.Println(session.SignOut(ctx))
	// Output:
	// Open https://auth.example.org/link?user_code=WDJB-MJHT and compare the code WDJB-MJHT
	// Signed in as @alice:example.org
	// <nil>
}

// A program with a browser sends the user there, and waits at the redirect URI.
func ExampleHomeserver_StartCode() {
	ctx := context.Background()
	server, err := exampleServer().Discover(ctx, "example.org")
	if err != nil {
		fmt.Println(err)
		return
	}
	grant, err := server.StartCode(signin.CodeRequest{
		ClientID:    "c1",
		RedirectURI: "http://127.0.0.1:4567/callback",
		Scope:       server.Scope(signin.NewDeviceID()),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	// Now the browser opens grant.URL, and comes back with this:
	callback := "http://127.0.0.1:4567/callback?code=x&state=" + grant.State
	tokens, err := server.Exchange(ctx, grant, callback)
	fmt.Println(tokens.Lifetime, err)
	// Output: 5m0s <nil>
}

// A program that was started again takes up its session.
func ExampleClient_Resume() {
	client := exampleServer()
	saved := signin.Session{
		BaseURL: "https://matrix.example.org", TokenEndpoint: "https://auth.example.org/token", ClientID: "c1", DeviceID: device,
		Tokens: signin.Tokens{AccessToken: "old", RefreshToken: "r0", ExpiresAt: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)},
	}
	session := client.Resume(saved, func(ctx context.Context, s signin.Session) error {
		fmt.Println("saving", s.Tokens.AccessToken)
		return nil
	})
	who, err := session.WhoAmI(context.Background())
	fmt.Println(who.UserID, err)
	// Output:
	// saving a1
	// saving a1
	// @alice:example.org <nil>
}

// exampleServer is example.org with an authorization server where the user agrees
// to everything.
func exampleServer() *signin.Client {
	tokens := page{body: `{"access_token":"a1","token_type":"Bearer","expires_in":300,"refresh_token":"r1"}`}
	w := homeserver(nil).
		on("POST "+auth+"/register", page{status: 201, body: `{"client_id":"c1"}`}).
		on("POST "+auth+"/device", page{body: started}).
		on("POST "+auth+"/token", tokens).
		on("POST "+auth+"/revoke", page{}).
		on(whoami, page{body: `{"user_id":"@alice:example.org"}`})
	return w.client()
}
