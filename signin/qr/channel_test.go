package qr

import (
	"bytes"
	"crypto/ecdh"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
)

var profiles = map[string]Profile{"seed": Seed, "deployed": Deployed, "msc4388": MSC4388, "msc4388 vodozemac": MSC4388Vodozemac}

// counting gives n bytes that count up from first.
func counting(first byte, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = first + byte(i)
	}
	return out
}

func private(t testing.TB, raw []byte) *ecdh.PrivateKey {
	t.Helper()
	key, err := ecdh.X25519().NewPrivateKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// vectors are the handshake and what follows, with fixed keys.
var vectors = []struct {
	name         string
	profile      Profile
	gs, ss       []byte
	initiate, ok string
	fromS, fromG string // the first messages after it
	textS, textG string
	code         string
}{
	{
		name: "SC-21 seed", profile: Seed, gs: counting(1, 32), ss: counting(0x21, 32),
		initiate: "+6Rc1tax2LnGPJbPUCxrHiKO3h3SL9f+UtbAg8wZk+15MOWSypbCkNi5irrk|WGmv9FBUlzLLqu1eXfmzCm2jHLDldCutWtShp2jxpns",
		ok:       "xkIY4a3fBbtFMDuKkLAdQl9tOHqglodkNmI36h4oGE1F1OpTfQLC",
		fromS:    "ejVMe8QLwDBAitE6XJTcvnEjlszQzNRQZUhLtHFohPpqf1vQy94BwMDB",
		textS:    `{"type":"m.login.success"}`,
		code:     "03",
	},
	{
		name: "SC-21 deployed", profile: Deployed, gs: counting(1, 32), ss: counting(0x21, 32),
		initiate: "+BbcTQsnCWbiMso6mq0QYrpgg559b33ECN1uniaNzn8oj9Fvgd/yF34ROn9t|WGmv9FBUlzLLqu1eXfmzCm2jHLDldCutWtShp2jxpns",
		ok:       "IbQIONcpJ71bB8xEgB5mQqsxeTLkcJXfma7FXuKXuyqBmlaRBf3Z",
		fromS:    "IcNIysYGHM4IgiLG+opD7Xx01Lpyy4voNKnU3vWo/cx1nky4QBPMC9qZ",
		textS:    `{"type":"m.login.success"}`,
		code:     "44",
	},
	{
		name: "SC-21 deployed, seen with the JavaScript SDK", profile: Deployed, gs: bytes.Repeat([]byte{0x11}, 32), ss: bytes.Repeat([]byte{0x22}, 32),
		initiate: "PJdJ27jezlHjdZpOhR7oa1gZh6vGikbIPvJcNicB8whhJoeV5DiUMDH78xmN|D6poTtKIZ7l/Smot7l34zpdOdrcBjj8iocTPJnhXDyA",
		ok:       "rq1Vw7bCsYtsVn4aQQwCIpRpeBFKiMPd+seqSa1LeIgLiJmrqPV6",
		fromS:    "a5aLnlV2ZONct0elLzSDD2abe54JbyiBlTQrfGXINUoBO8TXWu9Dr0uW",
		textS:    `{"type":"m.login.success"}`,
		fromG:    "aMrzysp/gDPsTWR9L8iwKPK0DgmZu1xqgS/hIvDDQ/gjNuGNK+nMbdFLz8QM03xJSIw5SQ",
		textG:    `{"type":"m.login.protocol_accepted"}`,
		code:     "24",
	},
}

func TestVectors2024(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			g, err := newGenerator(v.profile, Payload{}, private(t, v.gs))
			if err != nil {
				t.Fatal(err)
			}
			s, err := newScanner(v.profile, Payload{Key: g.PublicKey()}, private(t, v.ss))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := s.Initiate(""); err != nil || got != v.initiate {
				t.Errorf("SC-3: %s %v", got, err)
			}
			if got, err := g.Answer(v.initiate, "", ""); err != nil || got != v.ok {
				t.Errorf("SC-4: %s %v", got, err)
			}
			if err := s.Finish(v.ok, ""); err != nil {
				t.Fatal(err)
			}
			if code, err := s.CheckCode(); err != nil || code != v.code {
				t.Errorf("SC-19: %s %v", code, err)
			}
			if got, err := s.Seal([]byte(v.textS), ""); err != nil || got != v.fromS {
				t.Errorf("SC-5: %s %v", got, err)
			}
			if got, err := g.Open(v.fromS, ""); err != nil || string(got) != v.textS {
				t.Errorf("SC-5: %s %v", got, err)
			}
			if v.fromG == "" {
				return
			}
			if got, err := g.Seal([]byte(v.textG), ""); err != nil || got != v.fromG {
				t.Errorf("SC-5: %s %v", got, err)
			}
		})
	}
}

// TestVectors2025 holds the generator's end, byte by byte (SC-6 to SC-16). The
// scanner's own key cannot be chosen: its end is held by speaking to this one.
func TestVectors2025(t *testing.T) {
	place := Payload{BaseURL: "https://matrix.example.com", RendezvousID: sampleID}
	const initiate = "WGmv9FBUlzLLqu1eXfmzCm2jHLDldCutWtShp2jxpnt1pqPTY0caQCo70Yd8dDv3+EQZXoryGa/3neRjsfyMiNjnEpsO2MPJw7kRO8A"
	for _, v := range []struct {
		name     string
		profile  Profile
		ok, code string
	}{
		{"SC-7 SC-8 SC-10 SC-12 SC-13 SC-21 msc4388", MSC4388, "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVpbXF1eX2CJp7t6qOE/0gr4aIt87KnzvAyFy0Zpz+Wg64Y8bG7O1SYs6k1qmi4", "92"},
		{"SC-21 msc4388 vodozemac", MSC4388Vodozemac, "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVpbXF1eX2D4LzMhvHInKWhqj4RJxUGpIlTHIY0Z0zALalcvLXFHKKBMiGxpc7s", "71"},
	} {
		t.Run(v.name, func(t *testing.T) {
			g, err := newGenerator(v.profile, place, private(t, counting(1, 32)))
			if err != nil {
				t.Fatal(err)
			}
			if aad, err := g.aad("SEQ1"); err != nil || hex.EncodeToString(aad) != "001a68747470733a2f2f6d61747269782e6578616d706c652e636f6d2465386461363335352d353530622d346133322d613139332d3136313964393833303636380453455131" {
				t.Errorf("SC-9: %x %v", aad, err)
			}
			got, err := g.answer(initiate, "SEQ1", "SEQ2", counting(0x41, 32))
			if err != nil || got != v.ok {
				t.Errorf("SC-14: %s %v", got, err)
			}
			if g.code != v.code {
				t.Errorf("SC-16: %s", g.code)
			}
			plain, err := g.Open("to2/++GfACv4R+ZQvdvQCkGgxqsnt+oOf4KiwSr+/BDZqd2v2RMxNmmJ", "SEQ3")
			if err != nil || string(plain) != `{"type":"m.login.success"}` {
				t.Errorf("SC-15 SC-17: %s %v", plain, err)
			}
		})
	}
}

func TestCheckCodeDigits(t *testing.T) {
	for code, want := range map[[2]byte][2]string{{0, 0}: {"00", "10"}, {9, 9}: {"99", "19"}, {8, 9}: {"89", "99"}, {255, 255}: {"55", "45"}} {
		if got := [2]string{digits2024(code[:]), digits2025(code[:])}; got != want {
			t.Errorf("SC-16 %v: %q, want %q", code, got, want)
		}
	}
}

// pair is two ends after the handshake, with tokens 1 to 3 used up.
func pair(t testing.TB, profile Profile) (g, s *Channel) {
	t.Helper()
	place := Payload{BaseURL: sampleBase, RendezvousID: sampleID}
	g, err := NewGenerator(profile, place)
	if err != nil {
		t.Fatal(err)
	}
	place.Key = g.PublicKey()
	s, err = NewScanner(profile, place)
	if err != nil {
		t.Fatal(err)
	}
	first, err := s.Initiate("1")
	if err != nil {
		t.Fatal(err)
	}
	second, err := g.Answer(first, "1", "2")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Finish(second, "2"); err != nil {
		t.Fatal(err)
	}
	return g, s
}

func TestChannel(t *testing.T) {
	for name, profile := range profiles {
		t.Run(name, func(t *testing.T) {
			g, s := pair(t, profile)
			shown, err := s.CheckCode()
			if err != nil {
				t.Fatal(err)
			}
			if same, err := g.CheckDigits(" " + shown[:1] + " " + shown[1:] + "\n"); err != nil || !same {
				t.Errorf("SC-19: the right digits %q: %v %v", shown, same, err)
			}
			for _, wrong := range []string{"", "x", shown + "0", string([]byte{shown[0], shown[1] ^ 1})} {
				if same, err := g.CheckDigits(wrong); err != nil || same {
					t.Errorf("SC-19: %q for %q: %v %v", wrong, shown, same, err)
				}
			}
			for i, from := range []*Channel{s, s, g, s, g, g} {
				to, token := g, string(rune('a'+i))
				if from == g {
					to = s
				}
				sealed, err := from.Seal([]byte(token), token)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := to.Open(sealed, "other", token); err != nil && profile.Generation() == Gen2025 || string(got) != token {
					t.Errorf("message %d: %q %v", i, got, err)
				}
				if _, err := to.Open(sealed, token); !errors.Is(err, ErrForged) {
					t.Errorf("message %d was opened twice: %v", i, err)
				}
			}
		})
	}
}

func TestChannelIsBoundToItsPlace(t *testing.T) {
	for name, profile := range profiles {
		g, s := pair(t, profile)
		sealed, err := s.Seal([]byte("x"), "3")
		if err != nil {
			t.Fatal(err)
		}
		_, err = g.Open(sealed, "4")
		if bound := profile.Generation() == Gen2025; bound != errors.Is(err, ErrForged) {
			t.Errorf("SC-11 %s: %v", name, err)
		}
		if _, err := g.Open(sealed, "3"); profile.Generation() == Gen2025 && err != nil {
			t.Errorf("SC-18 %s: the right token after a wrong one: %v", name, err)
		}
		if _, err := s.Seal(nil, strings.Repeat("x", 256)); profile.Generation() == Gen2025 && !errors.Is(err, ErrFraming) {
			t.Errorf("SC-9 %s: %v", name, err)
		}
	}
}

func TestHandshakeRefused(t *testing.T) {
	for name, profile := range profiles {
		place := Payload{BaseURL: sampleBase, RendezvousID: sampleID}
		first := func(t *testing.T, change func(*Payload)) (*Channel, string) {
			g, err := NewGenerator(profile, place)
			if err != nil {
				t.Fatal(err)
			}
			code := place
			code.Key = g.PublicKey()
			change(&code)
			s, err := NewScanner(profile, code)
			if err != nil {
				t.Fatal(err)
			}
			message, err := s.Initiate("1")
			if err != nil {
				t.Fatal(err)
			}
			return g, message
		}
		asIs := func(*Payload) {}
		t.Run(name+" SC-5 framing", func(t *testing.T) {
			_, good := first(t, asIs)
			for _, bad := range []string{"", "|", "AAAA", "A|" + strings.Repeat("A", 43), good + "=", good + "|", good[:len(good)-1] + "\n",
				"!" + good, strings.ReplaceAll(good, "|", ""), strings.Repeat("A", maxReceived+4)} {
				g, _ := first(t, asIs)
				if _, err := g.Answer(bad, "1", "2"); !errors.Is(err, ErrFraming) && !errors.Is(err, ErrForged) && !errors.Is(err, ErrPeerKey) {
					t.Errorf("%.80q: %v", bad, err)
				}
				if _, err := g.Answer(good, "1", "2"); !errors.Is(err, ErrOrder) {
					t.Errorf("a second attempt: %v", err)
				}
			}
		})
		t.Run(name+" SC-20 another scanner", func(t *testing.T) {
			g, honest := first(t, asIs)
			_, other := first(t, asIs)
			mixed := other[:20] + honest[20:]
			if _, err := g.Answer(mixed, "1", "2"); err == nil {
				t.Error("a mixed message was accepted")
			}
			s, err := NewScanner(profile, Payload{BaseURL: sampleBase, RendezvousID: sampleID, Key: g.PublicKey()})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Initiate("1"); err != nil {
				t.Fatal(err)
			}
			g, swapped := first(t, asIs)
			answer, err := g.Answer(swapped, "1", "2")
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Finish(answer, "2"); !errors.Is(err, ErrForged) {
				t.Errorf("an answer to somebody else: %v", err)
			}
			if _, err := s.CheckCode(); !errors.Is(err, ErrOrder) {
				t.Errorf("a check code without a channel: %v", err)
			}
		})
		t.Run(name+" SC-9 another place", func(t *testing.T) {
			if profile.Generation() == Gen2024 {
				return
			}
			for _, change := range []func(*Payload){func(p *Payload) { p.BaseURL += "/" }, func(p *Payload) { p.RendezvousID += "x" }} {
				g, message := first(t, change)
				if _, err := g.Answer(message, "1", "2"); !errors.Is(err, ErrForged) {
					t.Errorf("opened: %v", err)
				}
			}
		})
	}
}

// TestLowOrderKeys is SC-1: keys with which anybody knows the secret.
func TestLowOrderKeys(t *testing.T) {
	low := [][32]byte{{}, {1}}
	copy(low[1][1:], make([]byte, 31))
	for name, profile := range profiles {
		for _, key := range low {
			if _, err := NewScanner(profile, Payload{Key: key}); !errors.Is(err, ErrPeerKey) {
				t.Errorf("SC-1 %s: scanner took %x: %v", name, key, err)
			}
			g, err := NewGenerator(profile, Payload{})
			if err != nil {
				t.Fatal(err)
			}
			message := encoding.EncodeToString(make([]byte, 48)) + "|" + encoding.EncodeToString(key[:])
			if profile.Generation() == Gen2025 {
				message = encoding.EncodeToString(append(key[:], make([]byte, 48)...))
			}
			if _, err := g.Answer(message, "1", "2"); !errors.Is(err, ErrPeerKey) {
				t.Errorf("SC-1 %s: generator took %x: %v", name, key, err)
			}
		}
	}
}

func TestGreetings(t *testing.T) {
	for _, profile := range []Profile{Seed, Deployed} {
		g, err := newGenerator(profile, Payload{}, private(t, counting(1, 32)))
		if err != nil {
			t.Fatal(err)
		}
		s, err := newScanner(profile, Payload{Key: g.PublicKey()}, private(t, counting(2, 32)))
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := s.sealBytes([]byte("HELLO"), "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.Answer(encoding.EncodeToString(sealed)+"|"+encoding.EncodeToString(s.ownKey[:]), "", ""); !errors.Is(err, ErrHandshake) {
			t.Errorf("SC-5: %v", err)
		}
		s.stage = initiated
		sealed, err = g.sealBytes([]byte("HELLO"), "")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Finish(encoding.EncodeToString(sealed), ""); !errors.Is(err, ErrHandshake) {
			t.Errorf("SC-5: %v", err)
		}
	}
}

func TestChannelOutOfOrder(t *testing.T) {
	g, err := NewGenerator(Deployed, Payload{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewScanner(Deployed, Payload{Key: g.PublicKey()})
	if err != nil {
		t.Fatal(err)
	}
	wrong := func(name string, err error) {
		t.Helper()
		if !errors.Is(err, ErrOrder) {
			t.Errorf("%s: %v", name, err)
		}
	}
	early := func(c *Channel) []error {
		_, err1 := c.Seal(nil, "")
		_, err2 := c.Open("", "")
		_, err3 := c.CheckCode()
		_, err4 := c.CheckDigits("00")
		return []error{err1, err2, err3, err4}
	}
	for _, err := range slices.Concat(early(g), early(s)) {
		wrong("before the handshake", err)
	}
	_, err = g.Initiate("")
	wrong("generator initiates", err)
	_, err = s.Answer("", "", "")
	wrong("scanner answers", err)
	wrong("generator finishes", g.Finish("", ""))
	wrong("finish before initiate", s.Finish("", ""))
	g, s = pair(t, Deployed)
	_, err = g.CheckCode()
	wrong("SC-19 generator shows", err)
	_, err = s.CheckDigits("00")
	wrong("SC-19 scanner is typed on", err)
	g.Close()
	s.Close()
	for _, err := range slices.Concat(early(g), early(s)) {
		wrong("after Close", err)
	}
	if _, err := NewGenerator(0, Payload{}); !errors.Is(err, ErrOrder) {
		t.Errorf("no profile: %v", err)
	}
}

// TestSealedSize is SX-9.
func TestSealedSize(t *testing.T) {
	for name, profile := range profiles {
		limit := 10240
		if profile.Generation() == Gen2025 {
			limit = 4096
		}
		g, s := pair(t, profile)
		if _, err := s.Seal(make([]byte, limit/4*3-tagSize+1), "3"); !errors.Is(err, ErrTooLarge) {
			t.Errorf("SX-9 %s: %v", name, err)
		}
		sealed, err := s.Seal(make([]byte, limit/4*3-tagSize), "3")
		if err != nil || len(sealed) != limit {
			t.Fatalf("SX-9 %s: %d %v", name, len(sealed), err)
		}
		if _, err := g.Open(sealed, "3"); err != nil {
			t.Errorf("SX-9 %s: %v", name, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	f.Add("3On7QFJyLQMAErua9K/yIOcJALvuMYax1AW0iWgf64AwtSMZXwAA012Q|9yA/CX8pJKF02Prd75ZyBQHg3fGTVVGDNl86q1z17Us", "1")
	f.Add("to2/++GfACv4R+ZQvdvQCkGgxqsnt+oOf4KiwSr+/BDZqd2v2RMxNmmJ", "SEQ3")
	ends := []*Channel{}
	for _, profile := range profiles {
		g, s := pair(f, profile)
		ends = append(ends, g, s)
	}
	f.Fuzz(func(t *testing.T, message, token string) {
		for _, c := range ends {
			if _, err := c.Open(message, token); !errors.Is(err, ErrForged) && !errors.Is(err, ErrFraming) {
				t.Errorf("opened by chance, or: %v", err)
			}
		}
		for _, profile := range profiles {
			g, err := newGenerator(profile, Payload{}, private(t, counting(1, 32)))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := g.Answer(message, token, token); err == nil {
				t.Error("greeted by chance")
			}
		}
	})
}
