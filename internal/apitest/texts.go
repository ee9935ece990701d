package apitest

import "slices"

// All are all text messages, to whichever number.
func (p *Phones) All() (texts []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, to := range p.texts {
		texts = append(texts, to...)
	}
	slices.Sort(texts)
	return texts
}
