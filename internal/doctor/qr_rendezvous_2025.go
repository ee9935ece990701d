package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// answer2025 is what a meeting place of 2025 answers with.
type answer2025 struct {
	CreateAvailable *bool  `json:"create_available"`
	ID              string `json:"id"`
	Token           string `json:"sequence_token"`
	Data            string `json:"data"`
	ExpiresIn       int64  `json:"expires_in_ms"`
}

// rendezvous2025 plays both devices at a meeting place of 2025 (MSC4388). It tells
// whether there is one.
func (e *examination) rendezvous2025(ctx context.Context) bool {
	at := e.found.BaseURL + path2025
	a, err := e.ask(ctx, question{url: at})
	var about answer2025
	switch {
	case err != nil || a.status == http.StatusNotFound || a.status == http.StatusMethodNotAllowed:
		return false
	case a.status == http.StatusUnauthorized:
		e.good("The meeting place of 2025 is there, for devices that are signed in.")
		return true
	case !a.ok() || !a.object(&about) || about.CreateAvailable == nil:
		e.fault("The meeting place of 2025 does not say whether it may be used: "+outcome(a, nil)+".", "Update the homeserver, or look at the proxy.")
		return true
	case !*about.CreateAvailable:
		e.good("The meeting place of 2025 is there, for devices that are signed in.")
		return true
	}
	e.play2025(ctx, at)
	return true
}

// step2025 is one request to the meeting place and what is due.
type step2025 struct {
	what, method, url string
	body              any
	status            int
	answer            *answer2025
}

func (e *examination) play2025(ctx context.Context, at string) {
	var made, wrote, read answer2025
	if !e.step(ctx, step2025{"created", http.MethodPost, at, map[string]string{"data": ""}, http.StatusOK, &made}) {
		return
	}
	if made.ID == "" || made.Token == "" {
		e.fault("The meeting place of 2025 has no id or no sequence_token.", "Update the homeserver.")
		return
	}
	if life := time.Duration(made.ExpiresIn) * time.Millisecond; life < 2*time.Minute {
		e.warn(fmt.Sprintf("A meeting place of 2025 lives only %s; the proposal says two minutes or more.", life), "Update the homeserver.")
	}
	session := at + "/" + made.ID
	ok := e.step(ctx, step2025{"written to", http.MethodPut, session, map[string]string{"sequence_token": made.Token, "data": letter}, http.StatusOK, &wrote}) &&
		e.step(ctx, step2025{"read", http.MethodGet, session, nil, http.StatusOK, &read}) &&
		e.step(ctx, step2025{"kept from a device that comes too late", http.MethodPut, session, map[string]string{"sequence_token": made.Token, "data": "too late"}, http.StatusConflict, nil})
	if ok && (read.Data != letter || read.Token != wrote.Token || wrote.Token == made.Token) {
		e.fault("The meeting place of 2025 gives back another letter or another token than it should.", "Switch the proxy's cache off below /_matrix/; with several homeserver processes, they must share the sessions.")
		ok = false
	}
	ok = e.step(ctx, step2025{"deleted", http.MethodDelete, session, nil, http.StatusOK, nil}) && ok
	ok = e.step(ctx, step2025{"gone after that", http.MethodGet, session, nil, http.StatusNotFound, nil}) && ok
	if ok {
		e.good("The meeting place of 2025 keeps what it is given.")
	}
}

// step asks, and says what is wrong.
func (e *examination) step(ctx context.Context, s step2025) bool {
	q := question{method: s.method, url: s.url}
	if s.body != nil {
		raw, err := json.Marshal(s.body)
		if err != nil {
			e.fault(err.Error(), "Report this as a fault of the program.")
			return false
		}
		q.body, q.header = string(raw), http.Header{"Content-Type": {"application/json"}}
	}
	a, err := e.ask(ctx, q)
	if err == nil && a.header.Get("Content-Encoding") != "" && a.status == s.status {
		// Harmless here: there are no entity tags. Ask again for what can be read.
		q.header = http.Header{"Accept-Encoding": {"identity"}, "Content-Type": {"application/json"}}
		if s.method == http.MethodGet {
			a, err = e.ask(ctx, q)
		}
	}
	if err != nil || a.status != s.status || (s.answer != nil && !a.object(s.answer)) {
		e.fault(fmt.Sprintf("The meeting place of 2025 was not %s: %s, where status %d is due.", s.what, outcome(a, err), s.status),
			"Let the proxy pass everything below /_matrix/ with all methods.")
		return false
	}
	if !a.cors() {
		e.fault("Apps in a browser cannot use the meeting place of 2025: its answers lack CORS headers.", mendProxyCORS)
		return false
	}
	return true
}
