package qr

import (
	"bytes"
	"encoding/binary"
	"math"
	"net/netip"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Generation says which rules a code, and all that follows from it, keeps to.
type Generation int

const (
	// Gen2024 is MSC4108 of 2024: sessions with entity tags, ECIES.
	Gen2024 Generation = iota + 1
	// Gen2025 is MSC4388 with the MSC4108 that builds on it: sessions with
	// sequence tokens, HPKE.
	Gen2025
)

// Device is one of the two parts in a sign-in.
type Device int

const (
	// DeviceNew is the device that wants to be signed in.
	DeviceNew Device = iota + 1
	// DeviceExisting is the device that is signed in already.
	DeviceExisting
)

// Payload is what a QR code says: who shows it, with which key, and where the two
// devices meet.
type Payload struct {
	Generation Generation
	// Unstable picks the prefix IO_ELEMENT_MSC4388. It means nothing in Gen2024.
	Unstable bool
	// ShownBy is the intent of the code: the device on whose screen it is.
	ShownBy Device
	// Key is the X25519 public key of the device that shows the code.
	Key [32]byte
	// RendezvousURL is the session's address (Gen2024 only).
	RendezvousURL string
	// RendezvousID names the session at BaseURL (Gen2025 only): 1 to 255 of the
	// letters of the opaque identifier grammar.
	RendezvousID string
	// BaseURL is where the client-server API is served, https except on loopback.
	// Gen2025 always has one. Gen2024 has either it or ServerName in codes that an
	// existing device shows, and neither in others.
	BaseURL string
	// ServerName is what the domain of user IDs is; see BaseURL.
	ServerName string
}

const (
	prefixStable   = "MATRIX"
	prefixUnstable = "IO_ELEMENT_MSC4388"

	typeVerification = 0x02 // also sign-in of 2024: the intent tells them apart
	typeSignIn       = 0x03

	intent2024New, intent2024Existing = 0x03, 0x04
	intent2025New, intent2025Existing = 0x00, 0x01
)

// Parse reads the bytes of a QR code. Every refusal is a *PayloadError.
//
// Two forms that are in use go beyond the proposals: in a code of 2024 the
// homeserver may be a URL or a server name, and in one with the unstable prefix
// the length of the session's ID may take two bytes. The latter cannot be
// mistaken: its first byte is zero, and no ID is empty.
func Parse(code []byte) (Payload, error) {
	r := reader{rest: code}
	p := Payload{}
	switch {
	case bytes.HasPrefix(code, []byte(prefixStable)):
		r.take(len(prefixStable))
	case bytes.HasPrefix(code, []byte(prefixUnstable)):
		r.take(len(prefixUnstable))
		p.Unstable = true
	case strings.HasPrefix(prefixStable, string(code)) || strings.HasPrefix(prefixUnstable, string(code)):
		return Payload{}, &PayloadError{Problem: Short}
	default:
		return Payload{}, &PayloadError{Problem: NotMatrix}
	}
	kind := r.byte()
	switch {
	case r.problem != 0:
	case kind == typeSignIn:
		p.Generation = Gen2025
		p.parse2025(&r)
	case kind == typeVerification && !p.Unstable:
		p.Generation = Gen2024
		p.parse2024(&r)
	default:
		r.fail(UnknownType)
	}
	if len(r.rest) > 0 {
		r.fail(Trailing)
	}
	if r.problem != 0 {
		return Payload{}, &PayloadError{Problem: r.problem}
	}
	return p, nil
}

func (p *Payload) parse2024(r *reader) {
	switch r.byte() {
	case intent2024New:
		p.ShownBy = DeviceNew
	case intent2024Existing:
		p.ShownBy = DeviceExisting
	case 0, 1, 2:
		r.fail(Verification)
		return
	default:
		r.fail(UnknownIntent)
		return
	}
	copy(p.Key[:], r.take(len(p.Key)))
	p.RendezvousURL = r.text(r.uint16())
	r.fail(checkURL(p.RendezvousURL))
	if p.ShownBy == DeviceNew {
		return
	}
	home, problem := parseHomeserver(r.text(r.uint16()))
	r.fail(problem)
	p.BaseURL, p.ServerName = home.BaseURL, home.ServerName
}

func (p *Payload) parse2025(r *reader) {
	switch r.byte() {
	case intent2025New:
		p.ShownBy = DeviceNew
	case intent2025Existing:
		p.ShownBy = DeviceExisting
	default:
		r.fail(UnknownIntent)
		return
	}
	copy(p.Key[:], r.take(len(p.Key)))
	length := int(r.byte())
	if length == 0 && p.Unstable {
		length = int(r.byte())
	}
	p.RendezvousID = r.text(length)
	if !isOpaque(p.RendezvousID) {
		r.fail(BadID)
	}
	p.BaseURL = r.text(r.uint16())
	r.fail(checkURL(p.BaseURL))
}

// Encode gives the bytes for a QR code in binary mode; MSC4388 recommends error
// correction level Q. A base URL whose path is only a slash loses it. What Parse
// would refuse is refused with the same *PayloadError.
func (p Payload) Encode() ([]byte, error) {
	p.BaseURL = trimBase(p.BaseURL)
	var out []byte
	switch p.Generation {
	case Gen2024:
		out = append(out, prefixStable...)
		out = append(out, typeVerification, pick(p.ShownBy, intent2024New, intent2024Existing))
		out = append(out, p.Key[:]...)
		out = appendText(out, p.RendezvousURL)
		if p.ShownBy == DeviceExisting {
			out = appendText(out, p.BaseURL+p.ServerName)
		}
	case Gen2025:
		prefix := prefixStable
		if p.Unstable {
			prefix = prefixUnstable
		}
		out = append(out, prefix...)
		out = append(out, typeSignIn, pick(p.ShownBy, intent2025New, intent2025Existing))
		out = append(out, p.Key[:]...)
		if len(p.RendezvousID) > math.MaxUint8 {
			return nil, &PayloadError{Problem: BadID}
		}
		out = append(out, byte(len(p.RendezvousID)))
		out = append(out, p.RendezvousID...)
		out = appendText(out, p.BaseURL)
	default:
		return nil, &PayloadError{Problem: UnknownType}
	}
	// What cannot be read back is not written: it may hold a field too long for
	// its length, both homeservers, or an address that readers refuse.
	read, err := Parse(out)
	if err != nil && len(out) < math.MaxUint16 {
		return nil, err
	}
	read.Unstable = p.Unstable
	if err != nil || read != p {
		return nil, &PayloadError{Problem: BadField}
	}
	return out, nil
}

// CheckScanner refuses a code that the reader's own kind of device shows: two new
// devices, or two that are signed in, can do nothing for each other. The error is
// a *Failure with WrongIntent.
func (p Payload) CheckScanner(own Device) error {
	if p.ShownBy == own {
		return &Failure{Reason: WrongIntent, By: ThisDevice, device: own}
	}
	return nil
}

func pick(shownBy Device, ifNew, ifExisting byte) byte {
	switch shownBy {
	case DeviceNew:
		return ifNew
	case DeviceExisting:
		return ifExisting
	}
	return math.MaxUint8
}

func appendText(out []byte, text string) []byte {
	// A text too long for its length is refused when it is read back.
	out = binary.BigEndian.AppendUint16(out, uint16(min(len(text), math.MaxUint16)))
	return append(out, text...)
}

// Homeserver says where a homeserver is: one of the two is set.
type Homeserver struct {
	// BaseURL is where the client-server API is served.
	BaseURL string
	// ServerName is to be resolved with /.well-known/matrix/client.
	ServerName string
}

// parseHomeserver takes either form: some clients write a name where others write
// a URL.
func parseHomeserver(text string) (Homeserver, ParseProblem) {
	if strings.Contains(text, "://") {
		return Homeserver{BaseURL: text}, checkURL(text)
	}
	return Homeserver{ServerName: text}, checkServerName(text)
}

func checkServerName(name string) ParseProblem {
	u, err := url.Parse("https://" + name)
	if err != nil || name == "" || u.Host != name || u.Hostname() == "" || len(name) > math.MaxUint8 ||
		strings.Trim(name, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.-:[]") != "" {
		return BadServerName
	}
	return 0
}

// checkURL holds what addresses in codes and messages must be.
func checkURL(text string) ParseProblem {
	if strings.Contains(text, "#") {
		return BadURL
	}
	return checkPage(text)
}

// checkPage is checkURL for pages, which may have a fragment.
func checkPage(text string) ParseProblem {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "" || u.User != nil:
		return BadURL
	case u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()):
		return 0
	}
	return InsecureURL
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

func isOpaque(id string) bool {
	return id != "" && len(id) <= math.MaxUint8 &&
		strings.Trim(id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._~-") == ""
}

func trimBase(base string) string {
	if u, err := url.Parse(base); err == nil && u.Path == "/" && u.RawQuery == "" {
		return strings.TrimSuffix(base, "/")
	}
	return base
}

// reader takes bytes from the front and remembers the first problem.
type reader struct {
	rest    []byte
	problem ParseProblem
}

func (r *reader) fail(problem ParseProblem) {
	if r.problem == 0 {
		r.problem = problem
	}
}

func (r *reader) take(n int) []byte {
	if n > len(r.rest) {
		r.fail(Short)
		r.rest = nil
		return nil
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() int {
	if b := r.take(2); b != nil {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) text(n int) string {
	b := r.take(n)
	if !utf8.Valid(b) {
		r.fail(NotUTF8)
	}
	return string(b)
}
