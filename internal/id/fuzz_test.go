package id

import (
	"errors"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// The grammar of the appendix "Identifier Grammar", as regular expressions. What
// they cannot say, grammatical does.
const server = `(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z.-]+)(?::([0-9]{1,5}))?`

var grammar = map[string]*regexp.Regexp{
	kindServer: regexp.MustCompile(`^` + server + `$`),
	kindUser:   regexp.MustCompile(`^@[\x21-\x39\x3b-\x7e]*:` + server + `$`),
	kindRoom:   regexp.MustCompile(`^![^:\x00-\x1f\x7f-\x{9f}]+:` + server + `$|^![0-9A-Za-z_-]{43}$`),
	kindAlias:  regexp.MustCompile(`^#[^:\x00-\x1f\x7f-\x{9f}]+:` + server + `$`),
	kindEvent:  regexp.MustCompile(`^\$[^\x00-\x1f\x7f-\x{9f}]+$`),
	kindDevice: regexp.MustCompile(`^[^\x00-\x1f\x7f-\x{9f}]+$`),
	kindMXC:    regexp.MustCompile(`^mxc://` + server + `/[0-9A-Za-z_-]{1,255}$`),
}

func grammatical(kind, s string) bool {
	parts := grammar[kind].FindStringSubmatch(s)
	if parts == nil || !utf8.ValidString(s) || kind != kindMXC && len(s) > MaxLength {
		return false
	}
	if len(parts) < 3 || parts[1] == "" {
		return true // it names no server
	}
	name := strings.TrimSuffix(parts[1]+":"+parts[2], ":")
	if port, _ := strconv.Atoi(parts[2]); port > 65535 || len(name) > MaxLength {
		return false
	}
	inside, isAddress := strings.CutPrefix(parts[1], "[")
	return !isAddress || strings.Contains(inside, ":") && net.ParseIP(strings.TrimSuffix(inside, "]")) != nil
}

// FuzzParse: each kind of identifier is accepted exactly if the grammar has it, and
// its parts make it up.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"@a:b", "!a:[::1]:80", "$a", "#é:b", "mxc://b/a", "a:80", "[::1]", "\xff", "@:", "@:b", "@é:b", "@a b:c", "!:b", "#a:b:c", "#\u0085:b",
		"!YXr3m5eNbGjYqGcPJJGfBV5OFG1bWd2yPrWAkVCTa4I", "!YXr3m5eNbGjYqGcPJJGfBV5OFG1bWd2yPrWAkVCTa4", "!YXr3m5eNbGjYqGcPJJGfBV5OFG1bWd2yPrWAkVCTa4+",
		"[::ffff:1.2.3.4]:65535", "[1.2.3.4]", "[fe80::1%eth0]", "[::1", "::1", "a:65536", "a:", ":80", "a:080", "a:+8", "a_b", "mxc://b/../a", "mxc://b/", "mxc:///a",
		"@" + strings.Repeat("a", 252) + ":b", "@" + strings.Repeat("a", 253) + ":b", "#" + strings.Repeat("é", 126) + ":b", "mxc://b/" + strings.Repeat("a", 256),
		"@alice:matrix.org", "@alice:matrix.org:8888", "@alice:[1234:5678::abcd]:5678", "@alice:1.2.3.4:1234", "!opaque_id:domain", "#room_alias:domain",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		check := func(kind string, err error) bool {
			if (err == nil) != grammatical(kind, s) {
				t.Errorf("%q as %s: got %v", s, kind, err)
			}
			var refusal *Error
			if err != nil && (!errors.As(err, &refusal) || refusal.Kind != kind || len(s) > 30 && strings.Contains(err.Error(), s)) {
				t.Errorf("%q as %s: got %#v", s, kind, err)
			}
			return err == nil
		}
		if user, err := ParseUserID(s); check(kindUser, err) && "@"+user.Localpart()+":"+string(user.ServerName()) != s {
			t.Errorf("ParseUserID(%q): its parts do not make it up", s)
		}
		if alias, err := ParseRoomAlias(s); check(kindAlias, err) && "#"+alias.Localpart()+":"+string(alias.ServerName()) != s {
			t.Errorf("ParseRoomAlias(%q): its parts do not make it up", s)
		}
		if media, err := ParseMXC(s); check(kindMXC, err) && "mxc://"+string(media.ServerName())+"/"+media.MediaID() != s {
			t.Errorf("ParseMXC(%q): its parts do not make it up", s)
		}
		if room, err := ParseRoomID(s); check(kindRoom, err) && strings.Contains(s, ":") != (room.ServerName() != "") {
			t.Errorf("ParseRoomID(%q): it is of server %q", s, room.ServerName())
		}
		if name, err := ParseServerName(s); check(kindServer, err) && !strings.HasPrefix(s, name.Host()) {
			t.Errorf("ParseServerName(%q): it has the host %q", s, name.Host())
		}
		_, err := ParseEventID(s)
		check(kindEvent, err)
		_, err = ParseDeviceID(s)
		check(kindDevice, err)
		// What a new user or alias is made of, is read again.
		if made, err := NewUserID(s, "b"); err == nil && (made.Localpart() != s || !grammatical(kindUser, string(made)) || strings.ToLower(s) != s) {
			t.Errorf("NewUserID(%q): got %q", s, made)
		}
		if made, err := NewRoomAlias(s, "b"); err == nil && (made.Localpart() != s || !grammatical(kindAlias, string(made))) {
			t.Errorf("NewRoomAlias(%q): got %q", s, made)
		}
	})
}
