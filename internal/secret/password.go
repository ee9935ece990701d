package secret

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/narthex-matrix/narthex/internal/errcode"
)

// Cost is the cost of a password hash.
type Cost struct {
	Time   uint32
	Memory uint32 // KiB
}

// The costs in use. Strong is OWASP's recommendation for Argon2id; Cheap is for
// demonstrations and tests.
var (
	Strong = Cost{Time: 2, Memory: 19 * 1024}
	Cheap  = Cost{Time: 1, Memory: 64}
)

// Passwords hashes and checks passwords.
type Passwords struct {
	cost  Cost
	queue chan struct{} // everyone: who hashes, and who waits for that
	slots chan struct{}
	dummy string
}

// perSlot is how many passwords may wait for each that is hashed: some seconds at
// the cost Strong, after which people give up.
const perSlot = 100

// NewPasswords hashes at most atOnce passwords at the same time.
func NewPasswords(cost Cost, atOnce int) *Passwords {
	atOnce = max(1, atOnce)
	p := &Passwords{cost: cost, queue: make(chan struct{}, atOnce*(1+perSlot)), slots: make(chan struct{}, atOnce)}
	// The salt does not matter: nothing matches a hash of zeros.
	p.dummy = encode(cost, make([]byte, saltBytes), make([]byte, keyBytes))
	return p
}

const (
	saltBytes = 16
	keyBytes  = 32
)

// Hash gives the PHC string of a password. It waits for a slot, and gives up with
// the context's error; it fails with Overloaded if too many wait already.
func (p *Passwords) Hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails: crypto/rand ends the program instead
	key, err := p.derive(ctx, password, salt, p.cost)
	if err != nil {
		return "", err
	}
	return encode(p.cost, salt, key), nil
}

// Check reports whether password belongs to hash. An empty hash (an unknown
// account, or one without a password) costs the same time and is false. It waits
// and fails as Hash does.
func (p *Passwords) Check(ctx context.Context, password, hash string) (bool, error) {
	known := hash != ""
	if !known {
		hash = p.dummy
	}
	cost, salt, want, err := decode(hash)
	if err != nil {
		return false, err
	}
	key, err := p.derive(ctx, password, salt, cost)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(key, want) == 1 && known, nil
}

func (p *Passwords) derive(ctx context.Context, password string, salt []byte, c Cost) ([]byte, error) {
	select {
	case p.queue <- struct{}{}:
	default:
		e := errcode.Overloaded.New("Too many people are signing in at this moment. Try again in a few seconds.")
		e.RetryAfter = 5 * time.Second
		return nil, e
	}
	defer func() { <-p.queue }()
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-p.slots }()
	return argon2.IDKey([]byte(password), salt, c.Time, c.Memory, 1, keyBytes), nil
}

func encode(c Cost, salt, key []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, c.Memory, c.Time, b64.EncodeToString(salt), b64.EncodeToString(key))
}

func decode(hash string) (c Cost, salt, key []byte, err error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return c, nil, nil, fmt.Errorf("password hash: not Argon2id")
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=1", &c.Memory, &c.Time); err != nil {
		return c, nil, nil, fmt.Errorf("password hash: %w", err)
	}
	if salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return c, nil, nil, fmt.Errorf("password hash: %w", err)
	}
	if key, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil {
		return c, nil, nil, fmt.Errorf("password hash: %w", err)
	}
	return c, salt, key, nil
}
