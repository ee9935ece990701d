package httpapi

// MaxSpent is how many tokens are remembered whose budget is spent.
const MaxSpent = maxSpent

// Reading says how many requests that read are worked on and how many wait, and whether
// it is being measured how long requests wait before they are read.
func (a *Admission) Reading() (running, waiting int, measuring bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := &a.lines[reading]
	return l.busy, len(l.waiting), a.backlog.running
}

// Rooms says how many rooms have a line, and how often one is among those that rest.
func (a *Admission) Rooms() (lines, resting int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.rooms), len(a.resting)
}
