package httpapi

import "io"

// body is the body of a request that needs a place. A client that sends slowly costs
// nobody else anything: a small body is received before the request asks for its place,
// and while a large one is read the request has none.
type body struct {
	io.ReadCloser
	call     *Call
	received []byte // and not read yet
	end      error  // after what was received; nil: the rest is still to come
}

// small is the length in bytes up to which a body is received before anything is known
// of its sender.
const small = 4096

// receive receives the body, of a length, if it is small, and reports whether it is.
func (b *body) receive(length int64) bool {
	if length < 0 || length > small {
		return false
	}
	b.received = make([]byte, length)
	n, err := io.ReadFull(b.ReadCloser, b.received)
	b.received = b.received[:n]
	if b.end = err; err == nil {
		b.end = io.EOF
	}
	return true
}

func (b *body) Read(p []byte) (n int, err error) {
	switch {
	case len(b.received) > 0:
		n = copy(p, b.received)
		b.received = b.received[n:]
		return n, nil
	case b.end != nil:
		return 0, b.end
	}
	b.call.Pause()
	defer b.call.Resume()
	return b.ReadCloser.Read(p)
}
