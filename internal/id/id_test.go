package id

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// parser is a Parse function without its type.
func parser[T ~string](parse func(string) (T, error)) func(string) (string, error) {
	return func(s string) (string, error) {
		value, err := parse(s)
		return string(value), err
	}
}

var long = strings.Repeat("a", 250)

func TestParse(t *testing.T) {
	hash := strings.Repeat("aZ0-_", 8) + "abc"
	everywhere := []string{"", "\x00", "a\nb", "a\x7fb", "\xff", "a\u0085b", strings.Repeat("a", 256)}
	cases := []struct {
		name      string
		parse     func(string) (string, error)
		good, bad []string
	}{
		{"user ID", parser(ParseUserID),
			[]string{"@alice:example.org", "@a:b", "@:b", "@A!~b/c:b", "@a:[::1]:8448", "@a:b:1", "@" + long + ":b.c"},
			[]string{"alice", "@alice", "@alice:", "alice:b", "#a:b", "@a:b:c", "@a b:c", "@é:b", "@a:b_c", "@a\x7f:b", "@" + long + ":b.cde", "@a\x00:b"}},
		{"room ID", parser(ParseRoomID),
			[]string{"!a:b", "!é:example.org:8448", "!" + hash},
			[]string{"!", "!:b", "!a", "!a:", "#a:b", "!" + hash + "d", "!" + hash[1:], "!" + hash[1:] + "+", "!\n:b", "!a:b/c"}},
		{"event ID", parser(ParseEventID),
			[]string{"$a", "$a:b", "$" + hash, "$+/="},
			[]string{"$", "a", "!a", "$\n"}},
		{"room alias", parser(ParseRoomAlias),
			[]string{"#a:b", "#Küche 🍳:example.org"},
			[]string{"#", "#a", "#:b", "a:b", "#a:", "#a:b:c", "#a\u0000:b", "#\xed\xa0\x80:b"}},
		{"device ID", parser(ParseDeviceID), []string{"A", "a b", "é"}, nil},
		{"server name", parser(ParseServerName),
			[]string{"b", "example.org", "EXAMPLE.org", "1.2.3.4", "1.2.3.4:80", "[::1]", "[1234:5678::abcd]:5678", "a-b.c:65535", "localhost:0"},
			[]string{":80", "a:", "a:b", "a:123456", "a:65536", "a:+1", "a_b", "a/b", "[::1", "[::1]x", "[1.2.3.4]", "[fe80::1%eth0]", "[]", "::1", "a b", "é.org"}},
		{"media URI", parser(ParseMXC),
			[]string{"mxc://b/a", "mxc://example.org:80/AZaz09_-", "mxc://[::1]/a"},
			[]string{"mxc://", "mxc://b", "mxc://b/", "mxc:///a", "http://b/a", "mxc://b/a/c", "mxc://b/..", "mxc://b/a?x", "mxc://b/" + strings.Repeat("a", 256)}},
	}
	for _, c := range cases {
		for _, s := range c.good {
			if got, err := c.parse(s); err != nil || got != s {
				t.Errorf("%s %q: got %q, %v, want it accepted", c.name, s, got, err)
			}
		}
		for _, s := range append(c.bad, everywhere...) {
			var refusal *Error
			if got, err := c.parse(s); !errors.As(err, &refusal) || got != "" {
				t.Errorf("%s %q: got %q, %v, want an *Error", c.name, s, got, err)
			}
		}
	}
}

func TestLocalpartOfNewUsers(t *testing.T) {
	for _, s := range []string{"a", "alice.b_c=d-e/f+0"} {
		if err := ValidLocalpart(s); err != nil {
			t.Errorf("ValidLocalpart(%q): %v", s, err)
		}
	}
	for _, s := range []string{"", "A", "a b", "é", "a:b", "a!", "\x00", strings.Repeat("a", 256)} {
		if err := ValidLocalpart(s); !errors.As(err, new(*Error)) {
			t.Errorf("ValidLocalpart(%q): got %v, want an *Error", s, err)
		}
	}
}

func TestParts(t *testing.T) {
	user, err := NewUserID("alice", "example.org:80")
	if err != nil || user != "@alice:example.org:80" || user.Localpart() != "alice" || user.ServerName() != "example.org:80" {
		t.Errorf("NewUserID: got %q, %v with parts %q, %q", user, err, user.Localpart(), user.ServerName())
	}
	if _, err := NewUserID("Alice", "b"); err == nil {
		t.Error("NewUserID(Alice): accepted, want an error")
	}
	if _, err := NewUserID(long, "example.org"); err == nil {
		t.Error("NewUserID of 263 bytes: accepted, want an error")
	}
	alias, err := NewRoomAlias("a b", "c")
	if err != nil || alias != "#a b:c" || alias.Localpart() != "a b" || alias.ServerName() != "c" {
		t.Errorf("NewRoomAlias: got %q, %v", alias, err)
	}
	if _, err := NewRoomAlias("a:b", "c"); err == nil {
		t.Error("NewRoomAlias(a:b): accepted, want an error")
	}
	if got := RoomID("!a:b:1").ServerName(); got != "b:1" {
		t.Errorf("RoomID.ServerName: got %q, want b:1", got)
	}
	if got := RoomID("!" + long).ServerName(); got != "" {
		t.Errorf("RoomID.ServerName without one: got %q, want none", got)
	}
	if got := EventID("$a:b").ServerName(); got != "b" {
		t.Errorf("EventID.ServerName: got %q, want b", got)
	}
	media, err := NewMXC("b:1", "abc")
	if err != nil || media.ServerName() != "b:1" || media.MediaID() != "abc" {
		t.Errorf("NewMXC: got %q, %v", media, err)
	}
	for name, want := range map[ServerName]struct {
		host string
		port int
	}{"a": {"a", 0}, "a:80": {"a", 80}, "[::1]": {"[::1]", 0}, "[::1]:80": {"[::1]", 80}} {
		if name.Host() != want.host || name.Port() != want.port {
			t.Errorf("%s: got host %q, port %d", name, name.Host(), name.Port())
		}
	}
	for _, broken := range []UserID{"", "@", "a", ":"} { // conversions skip the check
		if got := broken.Localpart(); got != "" {
			t.Errorf("Localpart of %q: got %q", broken, got)
		}
	}
}

func TestDecoding(t *testing.T) {
	var body struct {
		User   UserID         `json:"user"`
		Rooms  map[RoomID]MXC `json:"rooms"`
		Alias  RoomAlias      `json:"alias"`
		Event  EventID        `json:"event"`
		Device DeviceID       `json:"device"`
		Server ServerName     `json:"server"`
	}
	good := `{"user":"@a:b","rooms":{"!a:b":"mxc://b/a"},"alias":"#a:b","event":"$a","device":"D","server":"b"}`
	if err := json.Unmarshal([]byte(good), &body); err != nil || body.User != "@a:b" || body.Rooms["!a:b"] != "mxc://b/a" {
		t.Errorf("Unmarshal: got %+v, %v", body, err)
	}
	for _, bad := range []string{`{"user":"a"}`, `{"rooms":{"a":"mxc://b/a"}}`, `{"rooms":{"!a:b":"a"}}`, `{"alias":"a"}`, `{"event":""}`, `{"device":""}`, `{"server":"a/b"}`} {
		var refusal *Error
		if err := json.Unmarshal([]byte(bad), &body); !errors.As(err, &refusal) {
			t.Errorf("Unmarshal(%s): got %v, want an *Error", bad, err)
		}
	}
}

func TestErrorText(t *testing.T) {
	_, err := ParseUserID("alice:b")
	if got, want := err.Error(), "This is not a user ID: it must start with '@'."; got != want {
		t.Errorf("Error: got %q, want %q", got, want)
	}
}

func TestParsingDoesNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		_, _ = ParseUserID("@alice:example.org:8448")
		_, _ = ParseRoomID("!room:example.org")
		_, _ = ParseMXC("mxc://example.org/abc")
	}); n != 0 {
		t.Errorf("parsing allocates %v times, want never", n)
	}
}
