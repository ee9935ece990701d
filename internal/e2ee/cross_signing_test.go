package e2ee_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

const (
	crossSigning   = "/_matrix/client/v3/keys/device_signing/upload"
	signaturesPath = "/_matrix/client/v3/keys/signatures/upload"
)

type object = apitest.Object

// signedKey is a key as /keys/query gives it.
type signedKey struct {
	Keys       map[string]string               `json:"keys"`
	Usage      []string                        `json:"usage"`
	Signatures map[id.UserID]map[string]string `json:"signatures"`
}

// signers lists the ids of the keys that have signed, after the users' names.
func (k signedKey) signers() (list []string) {
	for u, keys := range k.Signatures {
		for keyID := range keys {
			list = append(list, u.Localpart()+" "+strings.TrimPrefix(keyID, "ed25519:"))
		}
	}
	slices.Sort(list)
	return list
}

type queried struct {
	Devices map[id.UserID]map[id.DeviceID]signedKey `json:"device_keys"`
	Master  map[id.UserID]signedKey                 `json:"master_keys"`
	Self    map[id.UserID]signedKey                 `json:"self_signing_keys"`
	User    map[id.UserID]signedKey                 `json:"user_signing_keys"`
}

// keysOf asks for the keys of users as one of them sees these.
func keysOf(t *testing.T, viewer *apitest.Client, users ...id.UserID) (got queried) {
	t.Helper()
	ask := map[id.UserID][]string{}
	for _, u := range users {
		ask[u] = []string{}
	}
	viewer.Do(t, "POST", query, object{"device_keys": ask}).OK(t, &got)
	return got
}

func wantSigners(t *testing.T, what string, k signedKey, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := k.signers(); !slices.Equal(got, want) {
		t.Errorf("%s is signed by %q, want %q", what, got, want)
	}
}

func TestCrossSigningKeys(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	x := apitest.NewCrossSigning(t, alice.UserID)
	device := alice.UploadDeviceKeys(t)
	body := x.Keys(t)
	foreign := apitest.NewSigningKey(t)
	body["master_key"] = device.Sign(t, body["master_key"].(object), alice.UserID, "DEVICE1")
	body["master_key"] = foreign.Sign(t, body["master_key"].(object), bob.UserID, foreign.Public())
	body["self_signing_key"] = foreign.Sign(t, body["self_signing_key"].(object), alice.UserID, foreign.Public())
	alice.Do(t, "POST", crossSigning, body).OK(t, nil)

	for _, viewer := range []*apitest.Client{alice, bob} {
		got := keysOf(t, viewer, alice.UserID, bob.UserID)
		if len(got.Master) != 1 || len(got.Self) != 1 {
			t.Fatalf("got %+v", got)
		}
		if key := got.Master[alice.UserID]; key.Keys["ed25519:"+x.Master.Public()] != x.Master.Public() || !slices.Equal(key.Usage, []string{"master"}) {
			t.Errorf("the master key is %+v", key)
		}
		wantSigners(t, "the master key", got.Master[alice.UserID], "alice DEVICE1")
		wantSigners(t, "the self-signing key", got.Self[alice.UserID], "alice "+x.Master.Public())
		if _, seen := got.User[alice.UserID]; seen != (viewer == alice) {
			t.Errorf("%s sees the user-signing key: %v", viewer.UserID, seen)
		}
	}
	wantSigners(t, "the user-signing key", keysOf(t, alice, alice.UserID).User[alice.UserID], "alice "+x.Master.Public())

	// Without one's own device keys nobody is signed out of anything: the master
	// key's signature by a device goes with the device.
	srv.Write(t, func(tx *db.Tx) error {
		return srv.App.Accounts.DeleteDevices(tx, alice.UserID, []id.DeviceID{"DEVICE1"})
	})
	wantSigners(t, "the master key", keysOf(t, bob, alice.UserID).Master[alice.UserID])
}

func TestMalformedCrossSigningKeys(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	x, stranger := apitest.NewCrossSigning(t, alice.UserID), apitest.NewCrossSigning(t, alice.UserID)
	named := apitest.NewSigningKey(t)
	srv.Device(t, alice.UserID, id.DeviceID(named.Public()))
	change := func(name, member string, value any) object {
		body := x.Keys(t)
		body[name].(object)[member] = value
		return body
	}
	masterIs := func(k apitest.SigningKey) object {
		y := x
		y.Master = k
		return y.Keys(t)
	}
	same := x
	same.UserSigning = x.SelfSigning
	padded := x.Master.Public() + "="
	bad := x.Master.Sign(t, object{"x": "another object"}, alice.UserID, x.Master.Public())["signatures"]
	unsigned := x.Keys(t)
	delete(unsigned["user_signing_key"].(object), "signatures")
	apitest.Run(t, []apitest.Case{
		{Name: "nothing", As: alice, Do: "POST", Path: crossSigning, Body: `{}`, Want: errcode.MissingParam},
		{Name: "no master key", As: alice, Do: "POST", Path: crossSigning, Body: object{"self_signing_key": x.Keys(t)["self_signing_key"]}, Want: errcode.MissingParam},
		{Name: "not an object", As: alice, Do: "POST", Path: crossSigning, Body: `{"master_key":"x"}`, Want: errcode.BadJSON},
		{Name: "without usage", As: alice, Do: "POST", Path: crossSigning, Body: `{"master_key":{"user_id":"@alice:narthex.test","keys":{}}}`, Want: errcode.BadJSON},
		{Name: "signatures of another shape", As: alice, Do: "POST", Path: crossSigning, Body: change("self_signing_key", "signatures", 7), Want: errcode.BadJSON},
		{Name: "huge", As: alice, Do: "POST", Path: crossSigning, Body: change("master_key", "x", strings.Repeat("x", 40_000)), Want: errcode.TooLarge},
		{Name: "of another user", As: bob, Do: "POST", Path: crossSigning, Body: x.Keys(t), Want: errcode.InvalidParam},
		{Name: "of another usage", As: alice, Do: "POST", Path: crossSigning, Body: change("master_key", "usage", []string{"self_signing"}), Want: errcode.InvalidParam},
		{Name: "two keys in one", As: alice, Do: "POST", Path: crossSigning, Body: change("master_key", "keys",
			object{"ed25519:" + x.Master.Public(): x.Master.Public(), "ed25519:" + named.Public(): named.Public()}), Want: errcode.InvalidParam},
		{Name: "no key", As: alice, Do: "POST", Path: crossSigning, Body: change("master_key", "keys", object{}), Want: errcode.InvalidParam},
		{Name: "an id that is not the key", As: alice, Do: "POST", Path: crossSigning, Body: change("master_key", "keys", object{"ed25519:X": x.Master.Public()}), Want: errcode.InvalidParam},
		{Name: "padded", As: alice, Do: "POST", Path: crossSigning, Body: change("master_key", "keys", object{"ed25519:" + padded: padded}), Want: errcode.InvalidParam},
		{Name: "another algorithm", As: alice, Do: "POST", Path: crossSigning, Body: change("master_key", "keys", object{"rsa:" + x.Master.Public(): x.Master.Public()}), Want: errcode.InvalidParam},
		{Name: "one key for two usages", As: alice, Do: "POST", Path: crossSigning, Body: same.Keys(t), Want: errcode.InvalidParam},
		{Name: "not signed", As: alice, Do: "POST", Path: crossSigning, Body: unsigned, Want: errcode.InvalidSignature},
		{Name: "signed by another master key", As: alice, Do: "POST", Path: crossSigning, Body: object{
			"master_key": x.Keys(t)["master_key"], "self_signing_key": stranger.Keys(t)["self_signing_key"]}, Want: errcode.InvalidSignature},
		{Name: "changed after it was signed", As: alice, Do: "POST", Path: crossSigning, Body: change("user_signing_key", "x", 1), Want: errcode.InvalidSignature},
		{Name: "a master key with a wrong signature of its own", As: alice, Do: "POST", Path: crossSigning, Body: change("master_key", "signatures", bad), Want: errcode.InvalidSignature},
		{Name: "a key with the id of a device", As: alice, Do: "POST", Path: crossSigning, Body: masterIs(named), Want: errcode.Forbidden},
		{Name: "by nobody", As: srv.Anyone(), Do: "POST", Path: crossSigning, Body: x.Keys(t), Want: errcode.MissingToken},
	})
	if got := keysOf(t, alice, alice.UserID); len(got.Master)+len(got.Self)+len(got.User) != 0 {
		t.Errorf("after nothing but refusals there are keys: %+v", got)
	}
	// And the other way round: a device with the id of a key uploads none of its own.
	alice.Do(t, "POST", crossSigning, x.Keys(t)).OK(t, nil)
	late := srv.Device(t, alice.UserID, id.DeviceID(x.Master.Public()))
	late.Do(t, "POST", upload, object{"device_keys": late.DeviceKeys(t, named)}).Fails(t, srv, errcode.InvalidParam)
}

// byPassword adds a password to a body.
func byPassword(body object, session string) object {
	body["auth"] = object{"type": "m.login.password", "identifier": object{"type": "m.id.user", "user": "alice"}, "password": apitest.Password, "session": session}
	return body
}

type challenge struct {
	Session string
	Errcode string
	Flows   []struct{ Stages []string }
	Params  map[string]struct{ URL string }
}

func challenged(t *testing.T, c *apitest.Client, body object) (got challenge) {
	t.Helper()
	r := c.Do(t, "POST", crossSigning, body).Fails(t, c.Server, errcode.InteractiveAuth)
	if err := json.Unmarshal(r.Body, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestReplacingCrossSigningKeysByPassword(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	device := alice.UploadDeviceKeys(t)
	x := alice.UploadCrossSigning(t)
	sign(t, alice, alice.UserID, "DEVICE1", x.SelfSigning.Sign(t, alice.DeviceKeys(t, device), alice.UserID, x.SelfSigning.Public()))
	since := position(t, srv)
	// The same again needs nothing, and changes nothing; also a part of it.
	alice.Do(t, "POST", crossSigning, x.Keys(t)).OK(t, nil)
	alice.Do(t, "POST", crossSigning, object{"user_signing_key": x.Keys(t)["user_signing_key"]}).OK(t, nil)
	if got := changes(t, alice, since); len(got.Changed) != 0 {
		t.Errorf("the same keys again: changed are %v", got.Changed)
	}
	// Another self-signing key under the same master key is a new key.
	y := x
	y.SelfSigning = apitest.NewSigningKey(t)
	c := challenged(t, alice, y.Keys(t))
	if len(c.Flows) != 1 || !slices.Equal(c.Flows[0].Stages, []string{"m.login.password"}) {
		t.Errorf("the flows are %v", c.Flows)
	}
	challenged(t, alice, object{"master_key": apitest.NewCrossSigning(t, alice.UserID).Keys(t)["master_key"], "auth": object{"session": c.Session}})
	wantSigners(t, "the device", keysOf(t, bob, alice.UserID).Devices[alice.UserID]["DEVICE1"], "alice DEVICE1", "alice "+x.SelfSigning.Public())
	alice.Do(t, "POST", crossSigning, byPassword(y.Keys(t), c.Session)).OK(t, nil)
	alice.Do(t, "POST", crossSigning, byPassword(y.Keys(t), c.Session)).OK(t, nil) // the answer was lost
	got := keysOf(t, bob, alice.UserID)
	if got.Self[alice.UserID].Keys["ed25519:"+y.SelfSigning.Public()] == "" {
		t.Errorf("the self-signing key is %v", got.Self)
	}
	wantSigners(t, "the device", got.Devices[alice.UserID]["DEVICE1"], "alice DEVICE1")
	// A new master key takes away what is not sent with it.
	z := apitest.NewCrossSigning(t, alice.UserID)
	alice.Do(t, "POST", crossSigning, byPassword(object{"master_key": z.Keys(t)["master_key"]}, "")).OK(t, nil)
	if got := keysOf(t, alice, alice.UserID); len(got.Self)+len(got.User) != 0 || got.Master[alice.UserID].Keys["ed25519:"+z.Master.Public()] == "" {
		t.Errorf("after a new master key: %+v", got)
	}
	if got := changes(t, alice, since); !slices.Equal(got.Changed, []id.UserID{alice.UserID}) {
		t.Errorf("after new keys: changed are %v", got.Changed)
	}
}

func TestReplacingCrossSigningKeysByOAuth(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	phone := srv.OAuthDevice(t, alice.UserID, "PHONE_OF_ALICE")
	phone.UploadCrossSigning(t) // the first needs nothing
	x, y := apitest.NewCrossSigning(t, alice.UserID), apitest.NewCrossSigning(t, alice.UserID)
	c := challenged(t, phone, x.Keys(t))
	if len(c.Flows) != 2 || !slices.Equal(c.Flows[0].Stages, []string{"m.oauth"}) ||
		c.Params["m.oauth"].URL != srv.URL+"/account?action=org.matrix.cross_signing_reset" || c.Errcode != "" {
		t.Errorf("got %+v", c)
	}
	again := func(x apitest.CrossSigning, session string) object {
		body := x.Keys(t)
		body["auth"] = object{"session": session}
		return body
	}
	// Neither without the page nor by password.
	if c := challenged(t, phone, again(x, c.Session)); c.Errcode != "M_UNAUTHORIZED" {
		t.Errorf("before it was confirmed: got %+v", c)
	}
	challenged(t, phone, byPassword(x.Keys(t), c.Session))
	allow := func() {
		srv.Write(t, func(tx *db.Tx) error { return srv.App.Accounts.AllowCrossSigningReset(tx, alice.UserID) })
	}
	allow()
	srv.Advance(11 * time.Minute)
	challenged(t, phone, again(x, c.Session))
	srv.RunJobs(t)
	if n := count(t, srv, `SELECT COUNT(*) FROM cross_signing_resets`); n != 0 {
		t.Errorf("%d permissions that have run out are kept", n)
	}
	allow()
	phone.Do(t, "POST", crossSigning, again(x, c.Session)).OK(t, nil)
	if got := keysOf(t, phone, alice.UserID); got.Master[alice.UserID].Keys["ed25519:"+x.Master.Public()] == "" {
		t.Errorf("the master key is %v", got.Master)
	}
	// The permission is used up.
	c = challenged(t, phone, y.Keys(t))
	challenged(t, phone, again(y, c.Session))
	// Clients that know the stage by its older name say so.
	allow()
	body := y.Keys(t)
	body["auth"] = object{"type": "org.matrix.cross_signing_reset", "session": c.Session}
	phone.Do(t, "POST", crossSigning, body).OK(t, nil)
}
