package demo

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// homeAddress is the mail address with which somebody registers.
func homeAddress(who string) string { return strings.ToLower(who) + "@home.example" }

const submitRegistration = "/_matrix/client/unstable/io.github.narthex-matrix/threepid/register/email/submitToken"

// provesAddress has a person show that a mail address is theirs, to register with it.
func (p *player) provesAddress(who string) {
	secret := strings.ToLower(who)
	p.does(who, "asks for a mail to the address with which to register.", "POST", client+"/register/email/requestToken",
		fmt.Sprintf(`{"client_secret":%q,"email":%q,"send_attempt":1}`, secret, homeAddress(who)), "sid", "sid")
	p.reads(who, homeAddress(who), longCode)
	p.does(who, "types the code.", "POST", submitRegistration, shows(secret, "{code}"), "", "")
}

// hears waits for a mail to a person, and shows it. Nobody is kept waiting for mails
// like this one: a job sends them.
func (p *player) hears(who, of string) {
	for i, s := range p.stages {
		if p.err != nil {
			return
		}
		s.clock.move(time.Minute) // what the job leaves to those who wait for a mail
		var text string
		if text, p.err = s.delivered(p.ctx, homeAddress(who), of); p.err == nil && i == 0 {
			p.say("%s gets a mail:", who)
			p.quote(text)
		}
	}
}

// patience is how long the story waits for a mail: far longer than one takes.
const patience = 30 * time.Second

// delivered works the jobs until there is a mail that says something.
func (s *stage) delivered(ctx context.Context, address, of string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		if err := s.app.RunJobs(ctx); err != nil {
			return "", err
		}
		if text := s.post.to(address); strings.Contains(text, of) {
			return text, nil
		}
		// The server's own worker may have it in hand.
		if err := hurry(ctx, time.Second); err != nil {
			return "", fmt.Errorf("the story went wrong: %s gets no mail about %q: %w", address, of, err)
		}
	}
}

// quote shows a message.
func (p *player) quote(text string) {
	for line := range strings.Lines(strings.TrimSpace(text)) {
		p.write(p.paint(faint, "  | "+strings.TrimRight(line, "\n")))
	}
}
