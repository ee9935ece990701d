package page

import "net/http"

// Failure says that something did not work: any row of the catalogue of errors.
type Failure struct {
	Status int    // of HTTP
	Text   string // a sentence for the person in front of it
	// RequestID finds the matter in the server's log; shown where that helps.
	RequestID string
	// Back is where to go from here: a path of this server; empty for nowhere.
	Back string
	Way  string // what the link there says; empty: "Try again"
}

func (Failure) template() string { return "failure" }

// Title is the heading.
func (f Failure) Title() string {
	switch {
	case f.Status == http.StatusNotFound || f.Status == http.StatusGone:
		return "There is nothing here"
	case f.Status == http.StatusForbidden || f.Status == http.StatusUnauthorized:
		return "This was refused"
	case f.Status == http.StatusTooManyRequests:
		return "Too many tries"
	case f.Status == http.StatusServiceUnavailable:
		return "The server is busy"
	case f.Status >= http.StatusInternalServerError:
		return "Something went wrong here"
	}
	return "This did not work"
}

// Ours reports whether the fault is the server's.
func (f Failure) Ours() bool { return f.Status >= http.StatusInternalServerError }
