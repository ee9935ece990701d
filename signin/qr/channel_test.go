package qr

import (
	"crypto/ecdh"
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
