package syncer

// Hold keeps everybody from looking, until the function that it gives is called.
func (s *Service) Hold() (release func()) {
	for range cap(s.leading) {
		s.leading <- struct{}{}
	}
	return func() {
		for range cap(s.leading) {
			<-s.leading
		}
	}
}

// Looking is how many are kept from looking.
func (s *Service) Looking() int { return len(s.looks) }

// AtOnce bounds how many look together.
const AtOnce = atOnce

// Take takes somebody's look out of the queue, as another one would who looks, and gives
// it back to be looked for when the function that it gives is called.
func (s *Service) Take() (look func()) {
	l := <-s.looks
	return func() {
		s.looks <- l
		s.lead()
	}
}
