package rendezvous

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/secret"
)

const (
	maxSessions = 1000 // at once
	maxOwn      = 10   // of them by one network
	fullWait    = 30 * time.Second
	// A sign-in takes about ten messages, none of which is a kilobyte long.
	maxWrites   = 32
	maxMessages = 16 // the largest ones of the protocol, in bytes all together
	idBytes     = 18 // of randomness
	// longest is as long as MSC4388 recommends for a session at most.
	longest = 5 * time.Minute
	// maxData is the largest message of MSC4388, in bytes.
	maxData = 4096
)

// allowed gives how long a session lives after its last write, how long at most,
// and how many bytes its largest message has.
func (s *Service) allowed(p protocol) (lifetime, atMost time.Duration, largest int) {
	lifetime = time.Duration(s.cfg.Lifetime)
	if p == msc4388 {
		lifetime = min(lifetime, longest)
		return lifetime, lifetime, maxData
	}
	return lifetime, 2 * lifetime, s.cfg.MaxPayload
}

// create makes a session with its first message. It fails with LimitExceeded when
// there are too many.
func (s *Service) create(ctx context.Context, call *httpapi.Call, p protocol, stable bool, data []byte) (made session, err error) {
	lifetime, atMost, _ := s.allowed(p)
	made = session{id: secret.String(idBytes), protocol: p, stable: stable, network: call.Network().String(), data: data, written: int64(len(data))}
	made.tag = made.freshTag()
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if err := tx.Lock("rendezvous", ""); err != nil { // so that the count holds
			return err
		}
		all, own, err := count(tx, made.network)
		if err != nil {
			return err
		}
		if all >= maxSessions || s.crowded && own >= maxOwn {
			return exhausted(fullWait, "Too many devices are signing in at this moment. Try again in half a minute.")
		}
		made.at, made.updated, made.expires, made.ends = tx.Now, tx.Now, tx.Now.Add(lifetime), tx.Now.Add(atMost)
		return insert(tx, made)
	})
	return made, err
}

// read gives a live session, or fails with NotFound.
func (s *Service) read(ctx context.Context, p protocol, id string) (found session, err error) {
	if !opaque(id) {
		return found, notFound()
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		found, err = live(tx, p, id)
		return err
	})
	return found, err
}

// write replaces the message that has the tag, and gives the session as it is then.
// If another message is there it reports false and gives the session as it was.
// It fails with NotFound, and with LimitExceeded after too many writes.
func (s *Service) write(ctx context.Context, p protocol, id, tag string, data []byte) (now session, written bool, err error) {
	if !opaque(id) {
		return now, false, notFound()
	}
	err = s.db.Write(ctx, func(tx *db.Tx) (err error) {
		written = false
		if now, err = live(tx, p, id); err != nil || now.tag != tag {
			return err
		}
		next, err := s.next(now, data, tx.Now)
		if err != nil {
			return err
		}
		if written, err = replace(tx, tag, next); err != nil {
			return err
		}
		if written {
			now = next
			return nil
		}
		now, err = live(tx, p, id) // someone was faster, through another process
		return err
	})
	return now, written, err
}

// next gives the session after a write.
func (s *Service) next(now session, data []byte, at time.Time) (session, error) {
	lifetime, _, largest := s.allowed(now.protocol)
	now.data, now.updated = data, at
	now.writes++
	now.written += int64(len(data))
	if now.writes > maxWrites || now.written > int64(maxMessages*largest) {
		return now, exhausted(now.ends.Sub(at), "This sign-in has exchanged more messages than a sign-in needs. Begin again.")
	}
	if now.expires = at.Add(lifetime); now.expires.After(now.ends) {
		now.expires = now.ends
	}
	now.tag = now.freshTag()
	return now, nil
}

// remove ends a session, or fails with NotFound.
func (s *Service) remove(ctx context.Context, p protocol, id string) error {
	if !opaque(id) {
		return notFound()
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		removed, err := remove(tx, p, id)
		if err == nil && !removed {
			return notFound()
		}
		return err
	})
}

// freshTag is the tag of the session's message: another one after each write, even
// of the same bytes, and another one in each session.
func (now session) freshTag() string {
	h := sha256.New()
	h.Write([]byte(now.id))
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(now.writes)))
	h.Write(now.data)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func live(tx *db.Tx, p protocol, id string) (session, error) {
	found, err := find(tx, p, id)
	if errors.Is(err, db.ErrNoRow) {
		return found, notFound()
	}
	return found, err
}

func notFound() error {
	return errcode.NotFound.New("There is no such rendezvous session, or it has expired. Begin the sign-in again.")
}

// exhausted is a limit with a text of its own.
func exhausted(wait time.Duration, text string) error {
	e := errcode.TooManyRequests(wait)
	e.Text = text
	return e
}

// opaque reports whether a text obeys the grammar of opaque identifiers
// (appendices, Opaque Identifiers), so that it may be an id.
func opaque(text string) bool {
	return text != "" && len(text) <= 255 && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-") == ""
}
