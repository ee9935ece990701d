package sms

import "context"

// SendAndDie does what a process does that is killed after the gateway has taken a
// message, and before it has noted so.
func (s *Service) SendAndDie(ctx context.Context, id string) error {
	p, err := s.take(ctx, id, true)
	if err != nil {
		return err
	}
	_, err = s.hand(ctx, p)
	return err
}

// Segments is segments.
func Segments(text string) int { return segments(text) }

// The times that tests wait for.
const (
	HeadStart = headStart
	Lease     = lease
)
