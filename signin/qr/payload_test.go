package qr

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	sampleURL  = "https://rendezvous.lab.element.dev/e8da6355-550b-4a32-a193-1619d9830668"
	sampleID   = "e8da6355-550b-4a32-a193-1619d9830668"
	sampleBase = "https://matrix-client.matrix.org"
)

func sampleKey(t testing.TB) (key [32]byte) {
	t.Helper()
	return keyOf(t, "2IZoarIZe3gOMAqdSiFHSAcA15KfOasxueUUNwJI7Ws")
}

func keyOf(t testing.TB, text string) (key [32]byte) {
	t.Helper()
	raw, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || copy(key[:], raw) != 32 {
		t.Fatalf("bad key %q: %v", text, err)
	}
	return key
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestCodes holds the worked codes, in both directions.
func TestCodes(t *testing.T) {
	key := sampleKey(t)
	for _, c := range []struct {
		name, sum string
		size      int
		payload   Payload
	}{
		{"QR-1", "5a18b40276b65f7e9578a03d04fddb215e1212159805689b395beb6058a7a6ec", 113,
			Payload{Generation: Gen2024, ShownBy: DeviceNew, Key: key, RendezvousURL: sampleURL}},
		{"QR-2", "1740525c2017b27f56c2f930d8371ad5831abc8e94264eb27974bef20a2246a0", 147,
			Payload{Generation: Gen2024, ShownBy: DeviceExisting, Key: key, RendezvousURL: sampleURL, BaseURL: sampleBase}},
		{"QR-3", "333fc26b1ba31baf7b3905b18a63021aa17ae7242bf53a23f92a1a3736e04f93", 125,
			Payload{Generation: Gen2024, ShownBy: DeviceExisting, Key: key, RendezvousURL: sampleURL, ServerName: "matrix.org"}},
		{"QR-4", "40a4bf93e6eec89d2019c578831c0c7bb1762a71fe9ae26a286247f2f8f0c755", 111,
			Payload{Generation: Gen2025, ShownBy: DeviceNew, Key: key, RendezvousID: sampleID, BaseURL: sampleBase}},
		{"QR-5", "a7531e59f0c8a5d9379371eea0d1099c12c6f4e44faa9ce795d1b1744f5bb9c6", 111,
			Payload{Generation: Gen2025, ShownBy: DeviceExisting, Key: key, RendezvousID: sampleID, BaseURL: sampleBase}},
		{"QR-6", "b38a6b5b19795fd920861c67d05f246eabe8aab7a5a8457e270da8b7b706c277", 123,
			Payload{Generation: Gen2025, Unstable: true, ShownBy: DeviceExisting, Key: key, RendezvousID: sampleID, BaseURL: sampleBase}},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, err := c.payload.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if sum := sha256.Sum256(code); len(code) != c.size || hex.EncodeToString(sum[:]) != c.sum {
				t.Errorf("%d bytes, want %d: %x", len(code), c.size, code)
			}
			got, err := Parse(code)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.payload, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestCodesOfClients holds codes that other programs have made.
func TestCodesOfClients(t *testing.T) {
	const (
		head2024 = "4d4154524958 02"
		key      = "d886686ab2197b780e300a9d4a2147480700d7929f39ab31b9e514370248ed6b"
		url      = "004768747470733a2f2f72656e64657a766f75732e6c61622e656c656d656e742e6465762f65386461363335352d353530622d346133322d613139332d313631396439383330363638"
		head2025 = "494f5f454c454d454e545f4d534334333838 03"
		rest2025 = "002465386461363335352d353530622d346133322d613139332d313631396439383330363638002068747470733a2f2f6d61747269782d636c69656e742e6d61747269782e6f7267"
	)
	rust, err := base64.StdEncoding.DecodeString("TUFUUklYAgS0yzZ1QVpQ1jlnoxWX3d5jrWRFfELxjS2gN7pz9y+3PABaaHR0cHM6Ly9zeW5hcHNlLW9pZGMubGFiLmVsZW1lbnQuZGV2L19zeW5hcHNlL2NsaWVudC9yZW5kZXp2b3VzLzAxSFg5SzAwUTFINktQRDQ3RUc0RzFUM1hHACVodHRwczovL3N5bmFwc2Utb2lkYy5sYWIuZWxlbWVudC5kZXYv")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		code []byte
		want Payload
	}{
		{"QR-7", rust, Payload{Generation: Gen2024, ShownBy: DeviceExisting, Key: keyOf(t, "tMs2dUFaUNY5Z6MVl93eY61kRXxC8Y0toDe6c/cvtzw"),
			RendezvousURL: "https://synapse-oidc.lab.element.dev/_synapse/client/rendezvous/01HX9K00Q1H6KPD47EG4G1T3XG",
			BaseURL:       "https://synapse-oidc.lab.element.dev/"}},
		{"2024 login", unhex(t, head2024+"03"+key+url), Payload{Generation: Gen2024, ShownBy: DeviceNew, Key: sampleKey(t), RendezvousURL: sampleURL}},
		{"2024 reciprocate", unhex(t, head2024+"04"+key+url+"000a6d61747269782e6f7267"),
			Payload{Generation: Gen2024, ShownBy: DeviceExisting, Key: sampleKey(t), RendezvousURL: sampleURL, ServerName: "matrix.org"}},
		{"2025 login, two bytes of length", unhex(t, head2025+"00"+key+rest2025),
			Payload{Generation: Gen2025, Unstable: true, ShownBy: DeviceNew, Key: sampleKey(t), RendezvousID: sampleID, BaseURL: sampleBase}},
		{"2025 reciprocate, two bytes of length", unhex(t, head2025+"01"+key+rest2025),
			Payload{Generation: Gen2025, Unstable: true, ShownBy: DeviceExisting, Key: sampleKey(t), RendezvousID: sampleID, BaseURL: sampleBase}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Parse(c.code)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestCodesRefused is QR-8.
func TestCodesRefused(t *testing.T) {
	key := string(make([]byte, 32))
	const base = "\x00\x0dhttps://a.org"
	for _, c := range []struct {
		name, code string
		want       ParseProblem
	}{
		{"nothing", "", Short},
		{"half a prefix", "IO_ELEMENT", Short},
		{"no type", "MATRIX", Short},
		{"no key", "MATRIX\x03\x00", Short},
		{"length past the end", "MATRIX\x02\x03" + key + "\x00\x20https://a.org", Short},
		{"id past the end", "MATRIX\x03\x00" + key + "\x20abc", Short},
		{"base URL missing", "MATRIX\x02\x04" + key + base, Short},
		{"a web address", "https://matrix.to/#/@a:b", NotMatrix},
		{"prefix in small letters", "matrix\x02\x03" + key + base, NotMatrix},
		{"a type to come", "MATRIX\x04\x00" + key, UnknownType},
		{"2024 under the prefix of 2025", "IO_ELEMENT_MSC4388\x02\x03" + key + base, UnknownType},
		{"verification", "MATRIX\x02\x00", Verification},
		{"self-verification, trusting", "MATRIX\x02\x01" + key, Verification},
		{"self-verification", "MATRIX\x02\x02" + key, Verification},
		{"intent of 2024", "MATRIX\x02\x05" + key + base, UnknownIntent},
		{"intent of 2025", "MATRIX\x03\x02" + key + "\x01a" + base, UnknownIntent},
		{"URL not UTF-8", "MATRIX\x02\x03" + key + "\x00\x0ehttps://a.org\xff", NotUTF8},
		{"URL without host", "MATRIX\x02\x03" + key + "\x00\x06https:", BadURL},
		{"no URL", "MATRIX\x02\x03" + key + "\x00\x03a\x00b", BadURL},
		{"URL with a user", "MATRIX\x02\x03" + key + "\x00\x0fhttps://u@a.org", BadURL},
		{"not https", "MATRIX\x02\x03" + key + "\x00\x0chttp://a.org", InsecureURL},
		{"another scheme", "MATRIX\x02\x03" + key + "\x00\x0bftp://a.org", InsecureURL},
		{"base URL not https", "MATRIX\x03\x00" + key + "\x01a\x00\x0chttp://a.org", InsecureURL},
		{"bad server name", "MATRIX\x02\x04" + key + base + "\x00\x05a/b c", BadServerName},
		{"empty server name", "MATRIX\x02\x04" + key + base + "\x00\x00", BadServerName},
		{"empty id", "MATRIX\x03\x00" + key + "\x00" + base, BadID},
		{"empty id of two bytes", "IO_ELEMENT_MSC4388\x03\x00" + key + "\x00\x00" + base, BadID},
		{"two bytes of length are for the unstable prefix", "MATRIX\x03\x00" + key + "\x00\x01a" + base, BadID},
		{"slash in id", "MATRIX\x03\x00" + key + "\x03a/b" + base, BadID},
		{"more after the end", "MATRIX\x02\x03" + key + base + "\x00", Trailing},
		{"more after the end of 2025", "MATRIX\x03\x01" + key + "\x01a" + base + "x", Trailing},
	} {
		t.Run("QR-8 "+c.name, func(t *testing.T) {
			_, err := Parse([]byte(c.code))
			refusal, ok := errors.AsType[*PayloadError](err)
			if !ok || refusal.Problem != c.want {
				t.Errorf("got %v, want problem %d", err, c.want)
			}
		})
	}
}

func TestEveryProblemHasASentence(t *testing.T) {
	seen := map[string]bool{}
	for p := Short; p <= BadField; p++ {
		text := (&PayloadError{Problem: p}).Error()
		if !strings.HasSuffix(text, ".") || strings.Contains(text, "(problem") || seen[text] {
			t.Errorf("problem %d: %q", p, text)
		}
		seen[text] = true
	}
	if text := (&PayloadError{}).Error(); text == "" {
		t.Error("an unknown problem says nothing")
	}
}

func TestLoopbackNeedsNoEncryption(t *testing.T) {
	for url, want := range map[string]ParseProblem{
		"http://localhost:8008/x": 0, "http://127.0.0.1:8008": 0, "http://[::1]:8008": 0, "http://a.localhost": 0,
		"http://127.0.0.1.example.org": InsecureURL, "http://localhost.example.org": InsecureURL, "http://10.0.0.1": InsecureURL,
		"https://a.org/#x": BadURL, "https://": BadURL, "https:///x": BadURL, "https://:80": BadURL, "": BadURL,
	} {
		if got := checkURL(url); got != want {
			t.Errorf("%s: %d, want %d", url, got, want)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	good := Payload{Generation: Gen2025, ShownBy: DeviceNew, RendezvousID: "a", BaseURL: "https://a.org"}
	for name, c := range map[string]struct {
		change func(*Payload)
		want   ParseProblem
	}{
		"no generation":   {func(p *Payload) { p.Generation = 0 }, UnknownType},
		"nobody shows it": {func(p *Payload) { p.ShownBy = 0 }, UnknownIntent},
		"long id":         {func(p *Payload) { p.RendezvousID = strings.Repeat("a", 256) }, BadID},
		"long base URL":   {func(p *Payload) { p.BaseURL += "/" + strings.Repeat("a", 65535) }, BadField},
		"URL of 2024":     {func(p *Payload) { p.RendezvousURL = sampleURL }, BadField},
		"name in 2025":    {func(p *Payload) { p.ServerName = "a.org" }, BadField},
		"http":            {func(p *Payload) { p.BaseURL = "http://a.org" }, InsecureURL},
		"home of a new one": {func(p *Payload) {
			*p = Payload{Generation: Gen2024, ShownBy: DeviceNew, RendezvousURL: sampleURL, BaseURL: sampleBase}
		}, BadField},
	} {
		p := good
		c.change(&p)
		_, err := p.Encode()
		if refusal, ok := errors.AsType[*PayloadError](err); !ok || refusal.Problem != c.want {
			t.Errorf("%s: %v, want problem %d", name, err, c.want)
		}
	}
	slash := good
	slash.BaseURL += "/"
	with, err := slash.Encode()
	without, err2 := good.Encode()
	if err != nil || err2 != nil || !bytes.Equal(with, without) {
		t.Errorf("the slash stayed: %q %v %v", with, err, err2)
	}
}

// TestCheckScanner is QR-9.
func TestCheckScanner(t *testing.T) {
	for _, own := range []Device{DeviceNew, DeviceExisting} {
		for _, shown := range []Device{DeviceNew, DeviceExisting} {
			err := Payload{ShownBy: shown}.CheckScanner(own)
			failure, ok := errors.AsType[*Failure](err)
			if want := own == shown; ok != want || ok && failure.Reason != WrongIntent {
				t.Errorf("device %d, code of %d: %v", own, shown, err)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, p := range []Payload{
		{Generation: Gen2024, ShownBy: DeviceNew, RendezvousURL: sampleURL},
		{Generation: Gen2024, ShownBy: DeviceExisting, RendezvousURL: sampleURL, ServerName: "matrix.org"},
		{Generation: Gen2025, Unstable: true, ShownBy: DeviceExisting, RendezvousID: sampleID, BaseURL: sampleBase},
	} {
		code, err := p.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(code)
	}
	f.Fuzz(func(t *testing.T, code []byte) {
		p, err := Parse(code)
		if err != nil {
			if _, ok := errors.AsType[*PayloadError](err); !ok {
				t.Fatalf("refused with %T", err)
			}
			return
		}
		again, err := p.Encode()
		if err != nil {
			t.Fatalf("cannot write what was read: %v", err)
		}
		q, err := Parse(again)
		p.BaseURL = trimBase(p.BaseURL)
		if err != nil || p != q {
			t.Fatalf("read %v, then %v, %v", p, q, err)
		}
	})
}
