package e2ee_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

// sent uploads one signed object and gives the errcode of its failure, or "".
func sent(t *testing.T, c *apitest.Client, userID id.UserID, keyID string, signed any) string {
	t.Helper()
	var got struct {
		Failures map[id.UserID]map[string]struct{ Errcode, Error string }
	}
	c.Do(t, "POST", signaturesPath, object{string(userID): object{keyID: signed}}).OK(t, &got)
	failure := got.Failures[userID][keyID]
	if (failure.Errcode == "") != (len(got.Failures) == 0) || (failure.Errcode == "") != (failure.Error == "") {
		t.Errorf("the failures are %+v", got.Failures)
	}
	return failure.Errcode
}

func sign(t *testing.T, c *apitest.Client, userID id.UserID, keyID string, signed any) {
	t.Helper()
	if failed := sent(t, c, userID, keyID, signed); failed != "" {
		t.Errorf("signing %s of %s: %s", keyID, userID, failed)
	}
}

func TestSignatures(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, carol := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "carol")
	room := alice.CreateRoom(t, encrypted).Join(t, bob)
	device := alice.UploadDeviceKeys(t)
	x, y := alice.UploadCrossSigning(t), bob.UploadCrossSigning(t)
	own, master := alice.DeviceKeys(t, device), x.Keys(t)["master_key"].(object)
	since := position(t, srv)

	// A device, by the self-signing key; its own signature may come along.
	sign(t, alice, alice.UserID, "DEVICE1", x.SelfSigning.Sign(t, own, alice.UserID, x.SelfSigning.Public()))
	if got := changes(t, bob, since); !slices.Equal(got.Changed, []id.UserID{alice.UserID}) {
		t.Errorf("after a device was signed bob's list is %+v", got)
	}
	since = position(t, srv)
	sign(t, alice, alice.UserID, "DEVICE1", x.SelfSigning.Sign(t, own, alice.UserID, x.SelfSigning.Public()))
	if got := changes(t, bob, since); len(got.Changed) != 0 {
		t.Errorf("after the same again bob's list is %+v", got)
	}
	// The own master key, by a device.
	sign(t, alice, alice.UserID, x.Master.Public(), device.Sign(t, master, alice.UserID, "DEVICE1"))
	if got := changes(t, bob, since); !slices.Equal(got.Changed, []id.UserID{alice.UserID}) {
		t.Errorf("after the master key was signed bob's list is %+v", got)
	}
	// The master key of another, by the user-signing key: only the signer sees it.
	since = position(t, srv)
	before := alice.Sync(t, "").NextBatch
	sign(t, alice, bob.UserID, y.Master.Public(), x.UserSigning.Sign(t, y.Keys(t)["master_key"].(object), alice.UserID, x.UserSigning.Public()))
	if got := changes(t, alice, since); !slices.Equal(got.Changed, []id.UserID{bob.UserID}) {
		t.Errorf("after bob was signed alice's list is %+v", got)
	}
	if got := alice.Sync(t, "since="+before).DeviceLists.Changed; !slices.Equal(got, []id.UserID{bob.UserID}) {
		t.Errorf("after bob was signed alice's sync has %v", got)
	}
	if got := changes(t, bob, since); len(got.Changed) != 0 {
		t.Errorf("after bob was signed his list is %+v", got)
	}
	for _, viewer := range []*apitest.Client{alice, bob, carol} {
		got := keysOf(t, viewer, alice.UserID, bob.UserID)
		wantSigners(t, "alice's device", got.Devices[alice.UserID]["DEVICE1"], "alice DEVICE1", "alice "+x.SelfSigning.Public())
		wantSigners(t, "alice's master key", got.Master[alice.UserID], "alice DEVICE1")
		if viewer == alice {
			wantSigners(t, "bob's master key", got.Master[bob.UserID], "alice "+x.UserSigning.Public())
		} else {
			wantSigners(t, "bob's master key", got.Master[bob.UserID])
		}
	}
	// A new master key of bob's has none of the signatures of the old one.
	z := apitest.NewCrossSigning(t, bob.UserID)
	body := byPassword(z.Keys(t), "")
	body["auth"].(object)["identifier"] = object{"type": "m.id.user", "user": "bob"}
	bob.Do(t, "POST", crossSigning, body).OK(t, nil)
	wantSigners(t, "bob's new master key", keysOf(t, alice, bob.UserID).Master[bob.UserID])
	bob.Do(t, "POST", room.Path("/leave"), `{}`).OK(t, nil)
}

func TestSignaturesAreVerified(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	device := alice.UploadDeviceKeys(t)
	bobs := bob.UploadDeviceKeys(t)
	x, y, wrong := alice.UploadCrossSigning(t), bob.UploadCrossSigning(t), apitest.NewSigningKey(t)
	own, master, other := alice.DeviceKeys(t, device), x.Keys(t)["master_key"].(object), y.Keys(t)["master_key"].(object)
	with := func(o object, name string, value any) object {
		changed := object{}
		for k, v := range o {
			changed[k] = v
		}
		changed[name] = value
		return changed
	}
	const bad, unknown = "M_INVALID_SIGNATURE", "M_NOT_FOUND"
	for _, c := range []struct {
		name   string
		of     id.UserID
		keyID  string
		signed any
		want   string
	}{
		{"a device, by another key under the name", alice.UserID, "DEVICE1", wrong.Sign(t, own, alice.UserID, x.SelfSigning.Public()), bad},
		{"a device, by the master key", alice.UserID, "DEVICE1", x.Master.Sign(t, own, alice.UserID, x.Master.Public()), bad},
		{"a device, by itself alone", alice.UserID, "DEVICE1", own, bad},
		{"a changed device", alice.UserID, "DEVICE1", x.SelfSigning.Sign(t, with(own, "x", 1), alice.UserID, x.SelfSigning.Public()), bad},
		{"the master key, by nobody", alice.UserID, x.Master.Public(), master, bad},
		{"the master key, by another key under the name of a device", alice.UserID, x.Master.Public(), wrong.Sign(t, master, alice.UserID, "DEVICE1"), bad},
		{"the master key, by a device that there is not", alice.UserID, x.Master.Public(), wrong.Sign(t, master, alice.UserID, "DEVICE9"), bad},
		{"a changed master key", alice.UserID, x.Master.Public(), device.Sign(t, with(master, "x", 1), alice.UserID, "DEVICE1"), bad},
		{"another's master key, by a device", bob.UserID, y.Master.Public(), device.Sign(t, other, alice.UserID, "DEVICE1"), bad},
		{"another's master key, in the other's name", bob.UserID, y.Master.Public(), bobs.Sign(t, other, bob.UserID, "DEVICE1"), bad},
		{"another's master key, changed", bob.UserID, y.Master.Public(), x.UserSigning.Sign(t, with(other, "x", 1), alice.UserID, x.UserSigning.Public()), bad},
		{"another's device", bob.UserID, "DEVICE1", x.UserSigning.Sign(t, bob.DeviceKeys(t, bobs), alice.UserID, x.UserSigning.Public()), unknown},
		{"another's self-signing key", bob.UserID, y.SelfSigning.Public(), x.UserSigning.Sign(t, y.Keys(t)["self_signing_key"].(object), alice.UserID, x.UserSigning.Public()), unknown},
		{"a device that there is not", alice.UserID, "DEVICE9", own, unknown},
		{"a user whom there is not", "@nobody:narthex.test", "X", own, unknown},
		{"a text", alice.UserID, "DEVICE1", "x", "M_BAD_JSON"},
		{"signatures of another shape", alice.UserID, "DEVICE1", with(own, "signatures", 7), "M_BAD_JSON"},
	} {
		if got := sent(t, alice, c.of, c.keyID, c.signed); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	got := keysOf(t, alice, alice.UserID, bob.UserID)
	wantSigners(t, "the device", got.Devices[alice.UserID]["DEVICE1"], "alice DEVICE1")
	wantSigners(t, "the master key", got.Master[alice.UserID])
	wantSigners(t, "bob's master key", got.Master[bob.UserID])
	// What is good among what is bad is kept.
	var mixed struct {
		Failures map[id.UserID]map[string]any
	}
	alice.Do(t, "POST", signaturesPath, object{string(alice.UserID): object{
		"DEVICE1": x.SelfSigning.Sign(t, own, alice.UserID, x.SelfSigning.Public()), "DEVICE9": own}}).OK(t, &mixed)
	if len(mixed.Failures) != 1 || len(mixed.Failures[alice.UserID]) != 1 || mixed.Failures[alice.UserID]["DEVICE9"] == nil {
		t.Errorf("the failures are %v", mixed.Failures)
	}
	wantSigners(t, "the device", keysOf(t, bob, alice.UserID).Devices[alice.UserID]["DEVICE1"], "alice DEVICE1", "alice "+x.SelfSigning.Public())
	apitest.Run(t, []apitest.Case{
		{Name: "not by user", As: alice, Do: "POST", Path: signaturesPath, Body: `{"alice":{}}`, Want: errcode.BadJSON},
		{Name: "not by key", As: alice, Do: "POST", Path: signaturesPath, Body: `{"@alice:narthex.test":[]}`, Want: errcode.BadJSON},
		{Name: "too much", As: alice, Do: "POST", Path: signaturesPath, Body: `{"@alice:narthex.test":{"x":"` + strings.Repeat("x", 3<<20) + `"}}`, Want: errcode.TooLarge},
		{Name: "by nobody", As: srv.Anyone(), Do: "POST", Path: signaturesPath, Body: `{}`, Want: errcode.MissingToken},
	})
}

// TestSX4_ADeviceComesWithItsCrossSignature uploads identity keys that carry the
// signature by the self-signing key, as a device does that was signed in by QR code.
func TestSX4_ADeviceComesWithItsCrossSignature(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	alice.CreateRoom(t, encrypted).Join(t, bob)
	x := alice.UploadCrossSigning(t)
	phone := srv.Device(t, alice.UserID, "PHONE")
	key, stranger := apitest.NewSigningKey(t), apitest.NewSigningKey(t)
	since, pos := bob.Sync(t, "").NextBatch, position(t, srv)
	keys := x.SelfSigning.Sign(t, phone.DeviceKeys(t, key), alice.UserID, x.SelfSigning.Public())
	keys = stranger.Sign(t, keys, bob.UserID, stranger.Public())   // SX-5: another user's
	keys = stranger.Sign(t, keys, alice.UserID, stranger.Public()) // a key that nobody knows
	keys = x.Master.Sign(t, keys, alice.UserID, x.Master.Public()) // a key that does not sign devices
	phone.Do(t, "POST", upload, object{"device_keys": keys}).OK(t, nil)
	if n := count(t, srv, `SELECT COUNT(*) FROM device_list_changes`); n != 2 {
		t.Errorf("SX-6: there are %d updates of device lists, want one for the keys and one for the device", n)
	}
	if got := bob.Sync(t, "since="+since).DeviceLists.Changed; !slices.Equal(got, []id.UserID{alice.UserID}) {
		t.Errorf("bob's sync has %v", got)
	}
	want := []string{"alice PHONE", "alice " + x.SelfSigning.Public()}
	wantSigners(t, "the device", keysOf(t, bob, alice.UserID).Devices[alice.UserID]["PHONE"], want...)
	// Again, and again without the cross-signature: nothing changes.
	since = position(t, srv)
	phone.Do(t, "POST", upload, object{"device_keys": keys}).OK(t, nil)
	phone.Do(t, "POST", upload, object{"device_keys": phone.DeviceKeys(t, key)}).OK(t, nil)
	if got := changes(t, bob, since); len(got.Changed) != 0 {
		t.Errorf("after the same again: changed are %v", got.Changed)
	}
	wantSigners(t, "the device", keysOf(t, bob, alice.UserID).Devices[alice.UserID]["PHONE"], want...)
	// Other keys of the same device have none of the signatures of the old ones.
	phone.UploadDeviceKeys(t)
	wantSigners(t, "the device", keysOf(t, bob, alice.UserID).Devices[alice.UserID]["PHONE"], "alice PHONE")
	if got := changes(t, bob, pos); !slices.Equal(got.Changed, []id.UserID{alice.UserID}) {
		t.Errorf("after other keys: changed are %v", got.Changed)
	}
}

func TestSX5_AWrongCrossSignatureIsDropped(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	x := alice.UploadCrossSigning(t)
	keys := apitest.NewSigningKey(t).Sign(t, alice.DeviceKeys(t, apitest.NewSigningKey(t)), alice.UserID, x.SelfSigning.Public())
	alice.Do(t, "POST", upload, object{"device_keys": keys}).OK(t, nil)
	wantSigners(t, "the device", keysOf(t, alice, alice.UserID).Devices[alice.UserID]["DEVICE1"], "alice DEVICE1")
}

// TestSX7_WithoutCrossSigningADeviceIsUnverified uploads plain keys where there are
// no cross-signing keys, and signs the device later.
func TestSX7_WithoutCrossSigningADeviceIsUnverified(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	key := alice.UploadDeviceKeys(t)
	wantSigners(t, "the device", keysOf(t, alice, alice.UserID).Devices[alice.UserID]["DEVICE1"], "alice DEVICE1")
	x := apitest.NewCrossSigning(t, alice.UserID)
	signed := x.SelfSigning.Sign(t, alice.DeviceKeys(t, key), alice.UserID, x.SelfSigning.Public())
	if got := sent(t, alice, alice.UserID, "DEVICE1", signed); got != "M_INVALID_SIGNATURE" {
		t.Errorf("signing with a key that is not there yet: got %q", got)
	}
	alice.Do(t, "POST", crossSigning, x.Keys(t)).OK(t, nil)
	sign(t, alice, alice.UserID, "DEVICE1", signed)
	wantSigners(t, "the device", keysOf(t, alice, alice.UserID).Devices[alice.UserID]["DEVICE1"], "alice DEVICE1", "alice "+x.SelfSigning.Public())
}
