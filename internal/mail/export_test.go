package mail

import "context"

// SendAndDie does what a process does that is killed after the mail server has
// taken a mail, and before it has noted so.
func (s *Service) SendAndDie(ctx context.Context, id string) error {
	w, err := s.take(ctx, id, true)
	if err != nil {
		return err
	}
	_, err = s.hand(ctx, w)
	return err
}

// ParseAddress is parseAddress.
func ParseAddress(text string) (string, error) { return parseAddress(text) }

// Plain is plain.
func Plain(text string) string { return plain(text) }

// Samples are the templates with what they take.
var Samples = samples

// Render writes a mail.
func (t *Templates) Render(name string, data any) (subject, text, html string, err error) {
	w, err := t.render(name, data)
	return w.subject, w.text, w.html, err
}

// Filled is filled.
func Filled(empty any) any { return filled(empty) }

// The times that tests wait for.
const (
	HeadStart = headStart
	Lease     = lease
	Lifetime  = lifetime
)
