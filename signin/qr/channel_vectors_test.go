package qr

import (
	"bytes"
	"encoding/hex"
	"testing"
)

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
