package errcode_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestEveryRowIsWhole(t *testing.T) {
	keys := map[string]bool{}
	for _, c := range errcode.Catalogue() {
		if keys[c.Key] {
			t.Errorf("%s is there twice", c.Key)
		}
		keys[c.Key] = true
		if c.Meaning == "" || c.Client == "" || c.Source == "" || c.Status < 400 || c.Status > 599 {
			t.Errorf("%s lacks its meaning, advice, source or status", c.Key)
		}
		if c.Name == "" && c.OAuth == "" && c != errcode.InteractiveAuth {
			t.Errorf("%s has no name on the wire", c.Key)
		}
		if c.Name != "" && !strings.HasPrefix(c.Name, "M_") {
			t.Errorf("%s has the errcode %s", c.Key, c.Name)
		}
	}
}

// TestEC7_WireForms holds the one table from a row and a mode to what is sent.
func TestEC7_WireForms(t *testing.T) {
	const field = "org.matrix.msc3848.unstable.errcode"
	waiting := func() *errcode.Error {
		return errcode.UserAwaitingApproval.New("Wait.").With("approval_notice_medium", errcode.NoNotice)
	}
	for _, c := range []struct {
		name  string
		forms errcode.Forms
		err   *errcode.Error
		want  string
	}{
		{"RE-1 unstable by default", errcode.Forms{}, errcode.NotJoined.New("x"), "errcode=M_FORBIDDEN error=x " + field + "=ORG.MATRIX.MSC3848.NOT_JOINED"},
		{"RE-2 the proposal's prefix is the whole name of the field", errcode.Forms{MSC3848: errcode.Unstable}, errcode.AlreadyJoined.New("x"), "errcode=M_FORBIDDEN error=x " + field + "=ORG.MATRIX.MSC3848.ALREADY_JOINED"},
		{"stable", errcode.Forms{MSC3848: errcode.Stable}, errcode.InsufficientPower.New("x"), "errcode=M_INSUFFICIENT_POWER error=x"},
		{"off", errcode.Forms{MSC3848: errcode.Off}, errcode.NotJoined.New("x"), "errcode=M_FORBIDDEN error=x"},
		{"RE-3 uncoded", errcode.Forms{MSC3848: errcode.Unstable}, errcode.Forbidden.New("x"), "errcode=M_FORBIDDEN error=x"},
		{"A-1 unstable", errcode.Forms{}, waiting(), "errcode=ORG.MATRIX.MSC3866_USER_AWAITING_APPROVAL error=Wait. approval_notice_medium=org.matrix.msc3866.none"},
		{"A-1 stable", errcode.Forms{Approval: errcode.Stable}, waiting(), "errcode=M_USER_AWAITING_APPROVAL error=Wait. approval_notice_medium=m.none"},
		{"A-1 seed", errcode.Forms{Approval: errcode.Seed}, waiting(), "errcode=ORG_MATRIX_MSC3866_USER_AWAITING_APPROVAL error=Wait. approval_notice_medium=m.none"},
		{"RZ-19 by the stable path", errcode.Forms{}, errcode.StaleETag.New("x"), "errcode=M_CONCURRENT_WRITE error=x"},
		{"RZ-19 by the unstable path", errcode.Forms{MSC3848: errcode.Stable}, errcode.StaleETagUnstable.New("x"), "errcode=M_UNKNOWN error=x org.matrix.msc4108.errcode=M_CONCURRENT_WRITE"},
		{"Z2-13 by the unstable path", errcode.Forms{}, errcode.StaleSequenceUnstable.New("x"), "errcode=IO_ELEMENT_MSC4388_CONCURRENT_WRITE error=x"},
		{"no errcode", errcode.Forms{}, errcode.InteractiveAuth.New("").With("session", "s"), "session=s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, m := range c.forms.Members(c.err) {
				got = append(got, fmt.Sprintf("%s=%v", m.Name, m.Value))
			}
			if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	cause := errors.New("disk")
	err := fmt.Errorf("sending: %w", errcode.Forbidden.Wrap(cause, "No %s.", "entry"))
	if !errors.Is(err, errcode.Forbidden) || errors.Is(err, errcode.NotFound) || !errors.Is(err, cause) {
		t.Error("errors.Is")
	}
	if e := errcode.From(err, "r1"); e.Code != errcode.Forbidden || e.Text != "No entry." {
		t.Errorf("From: got %v", e)
	}
	if e := errcode.From(cause, "r1"); e.Code != errcode.Unknown || strings.Contains(e.Text, "disk") || !strings.Contains(e.Text, "r1") {
		t.Errorf("From an unknown error: got %q", e.Text)
	}
	e := errcode.TooManyRequests(1500 * time.Millisecond)
	if e.Extra[0].Value != int64(2000) || !strings.Contains(e.Text, "2 seconds") {
		t.Errorf("TooManyRequests: got %v %v", e.Text, e.Extra)
	}
	if errcode.RetrySeconds(0) != 1 {
		t.Error("EC-3: Retry-After is at least 1")
	}
}

func TestLookup(t *testing.T) {
	for name, want := range map[string]string{
		"M_NOT_JOINED": "NotJoined", "NotJoined": "NotJoined", "ORG.MATRIX.MSC3848.NOT_JOINED": "NotJoined",
		"ORG.MATRIX.MSC3866_USER_AWAITING_APPROVAL": "UserAwaitingApproval", "M_ROOM_IN_USE": "RoomInUse",
	} {
		found := errcode.Lookup(name)
		if len(found) == 0 || found[0].Key != want {
			t.Errorf("Lookup(%s): got %v, want %s", name, found, want)
		}
	}
	if got := errcode.Lookup("M_NOTHING"); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

// TestEC4_UnauthorizedIsAboutTheToken holds that status 401 means the token, or
// user-interactive authentication, or an OAuth 2.0 client, and nothing else.
func TestEC4_UnauthorizedIsAboutTheToken(t *testing.T) {
	for _, c := range errcode.Catalogue() {
		about := slices.Contains([]string{"MissingToken", "UnknownToken", "ExpiredToken", "UserLocked", "InteractiveAuth", "Unauthorized", "InvalidClient", "ThreepidStageFailed", "IdentityUnauthorized"}, c.Key)
		if (c.Status == 401) != about {
			t.Errorf("%s has the status %d", c.Key, c.Status)
		}
	}
}
