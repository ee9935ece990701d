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
