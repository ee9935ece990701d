package db

import (
	"context"
	"errors"
	"sync"
)

// maxReaders bounds what the connections that read take together: each has pages and
// statements of its own.
const maxReaders = 16

// readers are the connections that read. Whoever reads takes the one that was used
// last: what it holds is at hand, and a connection that is not needed is never opened.
type readers struct {
	places chan struct{} // one for each in use
	mu     sync.Mutex
	idle   []*conn // the last one was used last
}

// reader takes a connection that reads, until it is given to readAgain.
func (d *DB) reader(ctx context.Context) (c *conn, err error) {
	r := &d.readers
	select {
	case r.places <- struct{}{}:
	case <-d.stopped:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	r.mu.Lock()
	if last := len(r.idle) - 1; last >= 0 {
		c, r.idle = r.idle[last], r.idle[:last]
	}
	r.mu.Unlock()
	if c != nil {
		return c, nil
	}
	if c, err = openConn(d.file); err == nil {
		if err = c.runOnce(context.WithoutCancel(ctx), `PRAGMA query_only = ON`); err == nil {
			return c, nil
		}
		err = errors.Join(err, c.Close())
	}
	<-r.places
	return nil, err
}

// readAgain gives a connection back.
func (d *DB) readAgain(c *conn) {
	r := &d.readers
	r.mu.Lock()
	r.idle = append(r.idle, c)
	r.mu.Unlock()
	<-r.places
}

// closeReaders waits for those who read, and lets nobody read after them.
func (d *DB) closeReaders() (err error) {
	for range cap(d.readers.places) {
		d.readers.places <- struct{}{}
	}
	for _, c := range d.readers.idle {
		err = errors.Join(err, c.Close())
	}
	return err
}
