package identity

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/identityserver"
	"github.com/narthex-matrix/narthex/internal/jobs"
	"github.com/narthex-matrix/narthex/internal/secret"
	"github.com/narthex-matrix/narthex/internal/validation"
)

const (
	maxLookup     = 10_000  // addresses in one request
	maxLookupBody = 4 << 20 // bytes: as many addresses of the largest size that people have
)

func newPepper() string { return secret.String(18) }

func (s *Service) algorithms() []string {
	if s.cfg.Identity.PlainLookup {
		return []string{identityserver.Hashed, identityserver.Plain}
	}
	return []string{identityserver.Hashed}
}

type getHashDetailsResponse struct {
	Pepper     string   `json:"lookup_pepper"`
	Algorithms []string `json:"algorithms"`
}

func (s *Service) getHashDetails(ctx context.Context, _ *httpapi.Call, _ noRequest) (resp getHashDetailsResponse, err error) {
	resp.Algorithms = s.algorithms()
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		present, err := presentPepper(tx)
		resp.Pepper = present.text
		return err
	})
	return resp, err
}

type lookupRequest struct {
	Algorithm string   `json:"algorithm" required:"true"`
	Pepper    string   `json:"pepper" required:"true"`
	Addresses []string `json:"addresses" required:"true"`
}

type lookupResponse struct {
	// Mappings have the addresses as they were given.
	Mappings map[string]id.UserID `json:"mappings"`
}

func (s *Service) lookup(ctx context.Context, _ *httpapi.Call, req lookupRequest) (resp lookupResponse, err error) {
	if !slices.Contains(s.algorithms(), req.Algorithm) {
		return resp, errcode.InvalidParam.New("This identity service does not look up addresses by this algorithm. It has: %s.", strings.Join(s.algorithms(), ", "))
	}
	if len(req.Addresses) > maxLookup {
		return resp, errcode.TooManyAddresses.New("At most %d addresses can be looked up at once.", maxLookup)
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		present, err := presentPepper(tx)
		if err != nil {
			return err
		}
		if req.Pepper != present.text {
			return errcode.InvalidPepper.New("The pepper is not the present one. Hash the addresses again with the one in this answer.").
				With("algorithm", req.Algorithm).With("lookup_pepper", present.text)
		}
		resp.Mappings, err = find(tx, req.Algorithm, req.Addresses)
		return err
	})
	return resp, err
}

func find(tx *db.Tx, algorithm string, given []string) (map[string]id.UserID, error) {
	found := map[string]id.UserID{}
	if algorithm == identityserver.Hashed {
		return found, findHashes(tx, given, found)
	}
	for _, medium := range []validation.Medium{validation.Email, validation.Phone} {
		asked := map[string][]string{} // canonical address → as it was given
		for _, text := range given {
			if address, ok := strings.CutSuffix(text, " "+string(medium)); ok {
				asked[canonical(medium, address)] = append(asked[canonical(medium, address)], text)
			}
		}
		if err := findAddresses(tx, medium, asked, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// canonical is the form in which addresses are stored. What is no address stays as
// it is, and is then not found.
func canonical(medium validation.Medium, address string) string {
	if medium == validation.Email {
		if email, err := validation.ParseEmail(address); err == nil {
			return email
		}
	}
	return address
}

// rotate replaces a pepper that has grown old, and every hash with it.
func (s *Service) rotate(ctx context.Context, _ jobs.Job) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := lockPepper(tx); err != nil {
			return err
		}
		old, err := presentPepper(tx)
		if err != nil || tx.Now.Sub(old.created) < time.Duration(s.cfg.Identity.PepperLifetime) {
			return err
		}
		pepper := newPepper()
		if err := removePeppers(tx); err != nil {
			return err
		}
		if err := insertPepper(tx, pepper); err != nil {
			return err
		}
		return rehash(tx, pepper)
	})
}
