package demo

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/narthex-matrix/narthex/internal/errcode"
)

// post keeps what a throwaway server writes into its log in place of sending it: the
// last mail or text message to each address.
type post struct {
	mu   sync.Mutex
	last map[string]string
}

func newPost() *post { return &post{last: map[string]string{}} }

// Enabled is for slog.Handler, as the other methods are.
func (*post) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// Handle looks for a message.
func (p *post) Handle(_ context.Context, r slog.Record) error {
	var to, text string
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "to":
			to = a.Value.String()
		case "text":
			text = a.Value.String()
		}
		return true
	})
	if to != "" && text != "" {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.last[to] = text
	}
	return nil
}

// WithAttrs leaves out what messages do not need.
func (p *post) WithAttrs([]slog.Attr) slog.Handler { return p }

// WithGroup likewise.
func (p *post) WithGroup(string) slog.Handler { return p }

func (p *post) to(address string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last[address]
}

const (
	mailAddress = "mia@example.org"
	phoneNumber = "+447400123456"

	submitMail = "/_matrix/client/unstable/io.github.narthex-matrix/threepid/add/email/submitToken"
	submitCode = "/_matrix/client/unstable/io.github.narthex-matrix/threepid/add/msisdn/submitToken"
)

var (
	longCode  = regexp.MustCompile(`(?m)^[A-Za-z0-9]{32}$`) // on a line of its own
	shortCode = regexp.MustCompile(`\b[0-9]{6}\b`)
)

// shows that an address is somebody's: what a client sends back, with a word of the
// story in place of the code.
func shows(secret, code string) string {
	return fmt.Sprintf(`{"sid":"{sid}","client_secret":%q,"token":%q}`, secret, code)
}

// addresses: MSC4183, each refusal with its own code.
func addresses(p *player) {
	p.title("Mia adds her mail address and her phone number")
	p.does("Mia", "asks for a mail to her address.", "POST", client+"/account/3pid/email/requestToken",
		`{"client_secret":"secret1","email":"`+mailAddress+`","send_attempt":1}`, "sid", "sid")
	p.reads("Mia", mailAddress, longCode)
	p.refused("Mia", "types a code that is not the one.", "POST", submitMail, shows("secret1", "{wrong}"), errcode.TokenIncorrect)
	p.refused("Somebody", "who has not got the secret of Mia's app does not even get to guess.", "POST", submitMail, shows("secret2", "{code}"), errcode.InvalidParam)
	p.refused("Mia", "wants to add the address without having shown that it is hers.", "POST", client+"/account/3pid/add",
		`{"sid":"{sid}","client_secret":"secret1"}`, errcode.ThreepidAuthFailed)
	p.does("Mia", "types the right code.", "POST", submitMail, shows("secret1", "{code}"), "", "")
	p.does("Mia", "adds the address, with her password.", "POST", client+"/account/3pid/add",
		`{"sid":"{sid}","client_secret":"secret1","auth":`+login("Mia", password)+`}`, "", "")
	p.refused("Ben", "wants the same address.", "POST", client+"/account/3pid/email/requestToken",
		`{"client_secret":"secret3","email":"`+mailAddress+`","send_attempt":1}`, errcode.ThreepidInUse)

	p.asksForCode("secret4")
	p.say("A quarter of an hour passes.")
	p.passes(16 * time.Minute)
	p.refused("Mia", "types the code. It was the right one, but it is too late.", "POST", submitCode, shows("secret4", "{code}"), errcode.SessionExpired)

	p.asksForCode("secret5")
	for _, what := range []string{"guesses.", "guesses again.", "has another idea.", "tries his birthday.", "tries it backwards."} {
		p.refused("Her little brother", what, "POST", submitCode, shows("secret5", "{wrong}"), errcode.TokenIncorrect)
	}
	p.refused("Mia", "types the right code. After five wrong ones it is good for nothing any more.", "POST", submitCode, shows("secret5", "{code}"), errcode.SessionExpired)
	p.asksForCode("secret6")
	p.does("Mia", "is quicker this time.", "POST", submitCode, shows("secret6", "{code}"), "", "")
}

func (p *player) asksForCode(secret string) {
	p.does("Mia", "asks for a code to her phone.", "POST", client+"/account/3pid/msisdn/requestToken",
		fmt.Sprintf(`{"client_secret":%q,"country":"GB","phone_number":"07400 123456","send_attempt":1}`, secret), "sid", "sid")
	p.reads("Mia", phoneNumber, shortCode)
}

// reads shows the last message to an address, and remembers the code in it, and one
// that is wrong.
func (p *player) reads(who, address string, form *regexp.Regexp) {
	for i, s := range p.stages {
		if p.err != nil {
			return
		}
		text := s.post.to(address)
		code := form.FindString(text)
		if code == "" {
			p.err = fmt.Errorf("the story went wrong: there is no code in the message to %s: %q", address, text)
			return
		}
		last := "1"
		if strings.HasSuffix(code, last) {
			last = "2"
		}
		s.words["code"], s.words["wrong"] = code, code[:len(code)-1]+last
		if i == 0 {
			p.say("%s reads:", who)
			p.quote(text)
		}
	}
}

// passes moves the clocks of the servers.
func (p *player) passes(d time.Duration) {
	for _, s := range p.stages {
		s.clock.move(d)
	}
}
