package identity_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/identity"
	"github.com/narthex-matrix/narthex/internal/identityserver"
	"github.com/narthex-matrix/narthex/internal/validation"
)

func TestTP92_TheHashesOfTheSpecification(t *testing.T) {
	for _, c := range []struct {
		medium        validation.Medium
		address, want string
	}{
		{"email", "alice@example.com", "4kenr7N9drpCJ4AfalmlGQVsOn3o2RHjkADUpXJWZUc"},
		{"email", "bob@example.com", "LJwSazmv46n0hlMlsb_iYxI0_HXEqy_yj6Jm636cdT8"},
		{"msisdn", "18005552067", "nlo35_T5fzSGZzJApqu8lgIudJvmOQtDaHtr-I4rU7I"},
	} {
		if got := identityserver.LookupHash(c.medium, c.address, "matrixrocks"); got != c.want {
			t.Errorf("%s: got %s, want %s", c.address, got, c.want)
		}
	}
}

// hash is what a client computes.
func hash(address, medium, pepper string) string {
	sum := sha256.Sum256([]byte(address + " " + medium + " " + pepper))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

type details struct {
	Pepper     string   `json:"lookup_pepper"`
	Algorithms []string `json:"algorithms"`
}

func (s service) details(t *testing.T, c *apitest.Client) (d details) {
	t.Helper()
	c.Do(t, "GET", v2+"/hash_details", nil).OK(t, &d)
	return d
}

func (s service) lookup(t *testing.T, c *apitest.Client, algorithm, pepper string, addresses ...string) map[string]string {
	t.Helper()
	var got struct {
		Mappings map[string]string `json:"mappings"`
	}
	c.Do(t, "POST", v2+"/lookup", apitest.Object{"algorithm": algorithm, "pepper": pepper, "addresses": addresses}).OK(t, &got)
	return got.Mappings
}

func TestTP90_HashDetails(t *testing.T) {
	s := start(t)
	alice := s.user(t, "alice")
	d := s.details(t, alice)
	if diff := cmp.Diff([]string{"sha256"}, d.Algorithms); diff != "" || len(d.Pepper) < 16 {
		t.Errorf("got %+v", d)
	}
	if again := s.details(t, alice); again.Pepper != d.Pepper {
		t.Errorf("the pepper changed at once, from %s to %s", d.Pepper, again.Pepper)
	}
	s.Anyone().Do(t, "GET", v2+"/hash_details", nil).Fails(t, s.Server, errcode.IdentityUnauthorized)
	plain := start(t, func(c *config.Config) { c.Identity.PlainLookup = true })
	if d := plain.details(t, plain.user(t, "alice")); !cmp.Equal(d.Algorithms, []string{"sha256", "none"}) {
		t.Errorf("got %+v", d)
	}
}

func TestTP91_Lookup(t *testing.T) {
	s := start(t)
	alice := s.user(t, "alice")
	s.bind(t, alice, "Alice@Example.com")
	pepper := s.details(t, alice).Pepper
	known, unknown := hash("alice@example.com", "email", pepper), hash("bob@example.com", "email", pepper)
	if diff := cmp.Diff(map[string]string{known: string(alice.UserID)}, s.lookup(t, alice, "sha256", pepper, unknown, known)); diff != "" {
		t.Error(diff)
	}
	many := make([]string, 10_001)
	for i := range many {
		many[i] = hash(fmt.Sprint(i), "email", pepper)
	}
	if got := s.lookup(t, alice, "sha256", pepper, append(many[2:], known)...); len(got) != 1 {
		t.Errorf("10,000 addresses: got %v", got)
	}
	body := func(algorithm, pepper, addresses any) apitest.Object {
		return apitest.Object{"algorithm": algorithm, "pepper": pepper, "addresses": addresses}
	}
	path := v2 + "/lookup"
	apitest.Run(t, []apitest.Case{
		{Name: "none at all", As: alice, Do: "POST", Path: path, Body: body("sha256", pepper, []string{}), Has: []string{`{"mappings":{}}`}},
		{Name: "a wrong pepper", As: alice, Do: "POST", Path: path, Body: body("sha256", "matrixrocks", []string{known}), Want: errcode.InvalidPepper,
			Has: []string{`"algorithm":"sha256"`, `"lookup_pepper":"` + pepper + `"`}, HasNot: []string{string(alice.UserID)}},
		{Name: "in plain text", As: alice, Do: "POST", Path: path, Body: body("none", pepper, []string{"alice@example.com email"}), Want: errcode.InvalidParam},
		{Name: "an unknown algorithm", As: alice, Do: "POST", Path: path, Body: body("md5", pepper, []string{known}), Want: errcode.InvalidParam},
		{Name: "no list", As: alice, Do: "POST", Path: path, Body: body("sha256", pepper, known), Want: errcode.InvalidParam},
		{Name: "a list of numbers", As: alice, Do: "POST", Path: path, Body: body("sha256", pepper, []int{1}), Want: errcode.InvalidParam},
		{Name: "too many", As: alice, Do: "POST", Path: path, Body: body("sha256", pepper, many), Want: errcode.TooManyAddresses},
		{Name: "no pepper", As: alice, Do: "POST", Path: path, Body: apitest.Object{"algorithm": "sha256", "addresses": []string{}}, Want: errcode.MissingParams},
		{Name: "no addresses", As: alice, Do: "POST", Path: path, Body: apitest.Object{"algorithm": "sha256", "pepper": pepper}, Want: errcode.MissingParams},
		{Name: "not JSON", As: alice, Do: "POST", Path: path, Body: "[", Want: errcode.NotJSON},
		{Name: "no token", As: s.Anyone(), Do: "POST", Path: path, Body: "{}", Want: errcode.IdentityUnauthorized},
	})
}

func TestTP91_PlainLookup(t *testing.T) {
	s := start(t, func(c *config.Config) { c.Identity.PlainLookup = true })
	alice := s.user(t, "alice")
	s.bind(t, alice, "alice@example.com")
	got := s.lookup(t, alice, "none", s.details(t, alice).Pepper,
		"alice@example.com email", "ALICE@EXAMPLE.COM email", "alice@example.com msisdn", "bob@example.com email", "alice@example.com", "")
	want := map[string]string{"alice@example.com email": string(alice.UserID), "ALICE@EXAMPLE.COM email": string(alice.UserID)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	s.details(t, alice)
	r := alice.Do(t, "POST", v2+"/lookup", apitest.Object{"algorithm": "none", "pepper": "old", "addresses": []string{}}).Fails(t, s.Server, errcode.InvalidPepper)
	if !strings.Contains(string(r.Body), `"algorithm":"none"`) {
		t.Errorf("got %s", r.Body)
	}
}

func TestTP90_ThePepperRotates(t *testing.T) {
	s := start(t, func(c *config.Config) { c.Identity.PepperLifetime = config.Duration(48 * time.Hour) })
	alice := s.user(t, "alice")
	const addresses = 600 // more than one statement takes
	s.Write(t, func(tx *db.Tx) error {
		for i := range addresses {
			address := fmt.Sprintf("a%d@example.com", i)
			if err := identity.PutAssociation(tx, address, alice.UserID); err != nil {
				return err
			}
		}
		return nil
	})
	old := s.details(t, alice).Pepper
	s.Advance(47 * time.Hour)
	s.RunJobs(t)
	if got := s.details(t, alice).Pepper; got != old {
		t.Errorf("the pepper changed before its time, from %s to %s", old, got)
	}
	s.Advance(2 * time.Hour)
	s.RunJobs(t)
	present := s.details(t, alice).Pepper
	if present == old {
		t.Fatal("the pepper has not changed")
	}
	alice.Do(t, "POST", v2+"/lookup", apitest.Object{"algorithm": "sha256", "pepper": old, "addresses": []string{}}).Fails(t, s.Server, errcode.InvalidPepper)
	hashes := make([]string, addresses)
	for i := range hashes {
		hashes[i] = hash(fmt.Sprintf("a%d@example.com", i), "email", present)
	}
	if got := s.lookup(t, alice, "sha256", present, hashes...); len(got) != addresses {
		t.Errorf("%d of %d addresses are found under the new pepper", len(got), addresses)
	}
	if got := s.lookup(t, alice, "sha256", present, hash("a0@example.com", "email", old)); len(got) != 0 {
		t.Errorf("the old hash is still found: %v", got)
	}
}

func TestTP87_TP88_LongTermKeys(t *testing.T) {
	s := start(t)
	alice := s.user(t, "alice")
	var bound map[string]any
	answer := s.bind(t, alice, "alice@example.com")
	keyID := s.verify(t, answer.Body)
	if err := json.Unmarshal(answer.Body, &bound); err != nil {
		t.Fatal(err)
	}
	var key struct {
		PublicKey string `json:"public_key"`
	}
	s.Anyone().Do(t, "GET", v2+"/pubkey/"+keyID, nil).OK(t, &key)
	apitest.Run(t, []apitest.Case{
		{Name: "an unknown key", As: s.Anyone(), Do: "GET", Path: v2 + "/pubkey/ed25519:none", Want: errcode.NotFound},
		{Name: "valid", As: s.Anyone(), Do: "GET", Path: v2 + "/pubkey/isvalid" + query("public_key", key.PublicKey), Has: []string{`{"valid":true}`}},
		{Name: "not valid", As: s.Anyone(), Do: "GET", Path: v2 + "/pubkey/isvalid?public_key=abc", Has: []string{`{"valid":false}`}},
		{Name: "none", As: s.Anyone(), Do: "GET", Path: v2 + "/pubkey/isvalid", Want: errcode.MissingParams},
		{Name: "not an ephemeral one", As: s.Anyone(), Do: "GET", Path: v2 + "/pubkey/ephemeral/isvalid" + query("public_key", key.PublicKey), Has: []string{`{"valid":false}`}},
		{Name: "no ephemeral one", As: s.Anyone(), Do: "GET", Path: v2 + "/pubkey/ephemeral/isvalid", Want: errcode.MissingParams},
	})
}

// A restart keeps the key and the pepper.
func TestTheKeyOutlivesARestart(t *testing.T) {
	s := start(t)
	load := func() (key identity.Key) {
		key, err := identity.Load(t.Context(), s.App.DB)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	first, pepper := load(), s.details(t, s.user(t, "alice")).Pepper
	if again := load(); again.ID != first.ID || !again.Private.Equal(first.Private) {
		t.Errorf("got the keys %s and %s", first.ID, again.ID)
	}
	if again := s.details(t, s.user(t, "alice")).Pepper; again != pepper {
		t.Errorf("got the peppers %s and %s", pepper, again)
	}
}
