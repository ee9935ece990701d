package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// Play plays the stories and writes them to out, with colours if the terminal has
// them. It fails at the first answer that is not as it is told.
func Play(ctx context.Context, out io.Writer, colours bool, now func() time.Time) (err error) {
	p := &player{ctx: ctx, out: out, colours: colours, now: now}
	for _, proposals := range []string{string(errcode.Unstable), string(errcode.Stable)} {
		s, err := raise(ctx, now, func(cfg *config.Config) {
			cfg.Proposals, cfg.Registration.RequiredThreepids = proposals, []string{"email"}
		})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.stop()) }()
		if err := s.account(ctx, "admin", true); err != nil {
			return err
		}
		p.stages = append(p.stages, s)
	}
	for _, story := range []func(*player){waiting, approving, refusals, together, addresses, byCode} {
		if story(p); p.err != nil {
			return p.err
		}
	}
	p.title("The end")
	p.say("%d requests about accounts, rooms and addresses, every answer as told: %d of them refusals, each with its own code.", p.asked, p.refusals)
	p.say("%d sign-ins with a QR code: %d succeeded, and %d ended for the reason that was told.", p.signIns, p.signIns-p.signInsFailed, p.signInsFailed)
	p.say("Next: narthex serve --dev, or docs/getting-started.md.")
	return p.err
}

// player tells a story on two servers at once, which differ only in how they
// spell the proposals' errors. After the first failure it does nothing.
type player struct {
	ctx             context.Context
	out             io.Writer
	colours         bool
	now             func() time.Time
	stages          []*stage // unstable, stable
	asked, refusals int
	// sign-ins with a QR code, and those of them that failed
	signIns, signInsFailed int
	err                    error
}

const (
	bold  = "1"
	faint = "2"
	green = "32"
	red   = "31"
)

func (p *player) paint(colour, text string) string {
	if !p.colours {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

func (p *player) write(text string) {
	if p.err == nil {
		_, p.err = fmt.Fprintln(p.out, text)
	}
}

func (p *player) title(text string) { p.write("\n" + p.paint(bold, text) + "\n") }

func (p *player) say(format string, args ...any) { p.write(fmt.Sprintf(format, args...)) }

// does makes a request that has to succeed, and remembers a member of the answer
// under a name for later paths ("" for none).
func (p *player) does(who, what, method, path, body, member, as string) {
	p.say("%s %s", who, what)
	for _, s := range p.stages {
		a, ok := p.ask(s, who, method, path, body)
		if !ok {
			return
		}
		if a.status != 200 {
			p.fail(method, path, a, "it has to succeed")
			return
		}
		if member != "" {
			text, _ := a.body[member].(string)
			if text == "" {
				p.fail(method, path, a, "it lacks "+member)
				return
			}
			s.words[as] = text
		}
	}
	p.done(method, path)
}

// done shows a request that has succeeded.
func (p *player) done(method, path string) {
	p.write("  " + p.paint(green, "200") + p.paint(faint, " "+method+" "+path))
}

// signsIn is does for POST /login; the person keeps the token.
func (p *player) signsIn(who string) {
	p.does(who, "signs in.", "POST", "/_matrix/client/v3/login", login(who, password), "access_token", "token")
	for _, s := range p.stages {
		s.tokens[who] = s.words["token"]
	}
}

func login(who, secret string) string {
	return fmt.Sprintf(`{"type":"m.login.password","identifier":{"type":"m.id.user","user":%q},"password":%q}`, strings.ToLower(who), secret)
}

// refused makes a request that has to fail with the code, and shows both forms.
func (p *player) refused(who, what, method, path, body string, want *errcode.Code) {
	p.say("%s %s", who, what)
	shown := []string{}
	for _, s := range p.stages {
		a, ok := p.ask(s, who, method, path, body)
		if !ok {
			return
		}
		if problem := differs(a, s.app.Forms(), want); problem != "" {
			p.fail(method, path, a, problem)
			return
		}
		if len(shown) == 0 || shown[0] != a.raw {
			shown = append(shown, a.raw)
		}
	}
	p.refusals++
	p.write("  " + p.paint(red, fmt.Sprint(want.Status)) + p.paint(faint, " "+method+" "+path))
	if len(shown) == 1 || len(errcode.WireForms(want)) == 1 {
		p.write("      " + shown[0])
		return
	}
	p.write("      unstable: " + shown[0])
	p.write("      stable:   " + shown[1])
}

func (p *player) ask(s *stage, who, method, path, body string) (answer, bool) {
	if p.err != nil {
		return answer{}, false
	}
	a, err := s.ask(p.ctx, who, method, path, body)
	p.err = err
	p.asked++
	return a, err == nil
}

func (p *player) fail(method, path string, a answer, problem string) {
	p.err = fmt.Errorf("the story went wrong: %s %s was answered %d %s: %s", method, path, a.status, a.raw, problem)
}

// differs says what is wrong with a refusal, or "".
func differs(a answer, forms errcode.Forms, want *errcode.Code) string {
	if a.status != want.Status {
		return fmt.Sprintf("the status has to be %d", want.Status)
	}
	for _, m := range forms.Members(want.New("")) {
		if m.Name != "error" && a.body[m.Name] != m.Value {
			return fmt.Sprintf("%s has to be %v", m.Name, m.Value)
		}
	}
	if text, _ := a.body["error"].(string); text == "" {
		return "it has no text"
	}
	return ""
}
