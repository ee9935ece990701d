package app_test

import (
	"fmt"
	"net/http"
	netmail "net/mail"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// TestMistake_OpenRedirectByNextLink asks for links to where nobody is to be sent.
func TestMistake_OpenRedirectByNextLink(t *testing.T) {
	w := newTown(t, func(cfg *config.Config) { cfg.Threepid.NextLinkHosts = []string{"app.example.org"} })
	alice := w.User(t, "alice")
	w.own(t, alice.UserID, "email", "alice@example.org")
	w.own(t, alice.UserID, "msisdn", "447400123456")
	there := w.atIdentity(t, alice)
	for _, link := range []string{
		"//app.example.org/", "//evil.example/", "/welcome", "welcome", `\\evil.example`, `/\evil.example`, `https:\\evil.example`,
		"https:evil.example", "https:/evil.example", "https:///evil.example/", "https://", "http://:80/", "https://?app.example.org",
		"https://evil.example/", "https://app.example.org.evil.example/", "https://evilapp.example.org/", "https://sub.app.example.org/",
		"https://evil.example/app.example.org", "https://evil.example?app.example.org", "https://evil.example#app.example.org", "https://evil.example;app.example.org/",
		"https://app.example.org@evil.example/", "https://app.example.org:443@evil.example/", "https://user@app.example.org/", "https://@app.example.org/",
		`https://evil.example\@app.example.org/`, `https://app.example.org\.evil.example/`, `https://evil.example\.app.example.org`,
		"https://evil.example%2f@app.example.org/", "https://evil.example%23.app.example.org/", "https://app%2eexample.org/", "https://app.example.org%00.evil.example/",
		"https://app.example.org:8443/", "https://app.example.org:80/", "http://app.example.org:443/", "https://app.example.org:x/", "https://app.example.org:44 3/", "https://app.example.org:0443/",
		"https://app.example.org./", "https://[::1]/", "https://[app.example.org]/", "https://127.0.0.1/", "https://0x7f000001/",
		"https://app.exаmple.org/", "https://app.example。org/", "https://ａpp.example.org/", "https://xn--pp-example.org/",
		"javascript:alert(1)", "javascript://app.example.org/%0aalert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd",
		"ftp://app.example.org/", "org.example.app://app.example.org/", "https\t://app.example.org/", "\thttps://evil.example/", " https://app.example.org/", "ht\ntps://app.example.org/",
		"https://app.example.org/\r\nSet-Cookie: a=b", "https://app.example.org/\x00", "https://app.example.org/\u2028", "https://app.example.org/" + strings.Repeat("a", 2048),
	} {
		for _, path := range []string{forRegister, forAdd, forPassword, forIdentity} {
			as := w.Anyone()
			if path == forIdentity {
				as = there
			}
			mail, phone := mailWish("alice@example.org", oneSecret), phoneWish("07400 123456", oneSecret)
			mail["next_link"], phone["next_link"] = link, link
			for at, wish := range map[string]object{path: mail, strings.Replace(path, "/email/", "/msisdn/", 1): phone} {
				if r := as.Do(t, "POST", at, wish); !is(r, errcode.InvalidParam) || !strings.Contains(string(r.Body), "next_link") {
					t.Errorf("%s: %q: got %d %s", at, link, r.Status, r.Body)
				}
			}
		}
	}
	if mails := w.mails.All(); len(mails) != 0 {
		t.Errorf("%d mails were sent", len(mails))
	}

	for i, link := range []string{
		"https://app.example.org", "https://app.example.org/", "http://app.example.org/a?b=c#d", "HTTPS://APP.example.org:443/", "http://app.example.org:80",
		"https://app.example.org/?to=//evil.example", "https://app.example.org/#//evil.example", "https://app.example.org//evil.example", "https://app.example.org/@evil.example",
	} {
		address := fmt.Sprintf("new%d@example.org", i)
		wish := mailWish(address, oneSecret)
		wish["next_link"] = link
		w.Anyone().Do(t, "POST", forRegister, wish).OK(t, nil)
		// What the link itself says does not count.
		r := w.Anyone().Do(t, "GET", w.mails.Last(t, address).Link(t, w.Server)+"&next_link=https://evil.example/&next_link=//evil.example", nil)
		to, err := url.Parse(r.Header.Get("Location"))
		if r.Status != http.StatusFound || err != nil || strings.ToLower(to.Hostname()) != "app.example.org" || to.User != nil {
			t.Errorf("%q: got %d %q", link, r.Status, r.Header.Get("Location"))
		}
	}
	// Without a next_link none is taken from elsewhere, and no failure leads anywhere.
	w.begin(t, w.Anyone(), forRegister, "plain@example.org", oneSecret)
	at := w.mails.Last(t, "plain@example.org").Link(t, w.Server)
	for _, path := range []string{at + "&next_link=https://evil.example/", strings.Replace(at, "token=", "next_link=https://evil.example/&token=x", 1)} {
		if r := w.Anyone().Do(t, "GET", path, nil); r.Header.Get("Location") != "" || r.Status/100 == 3 {
			t.Errorf("got %d %q", r.Status, r.Header.Get("Location"))
		}
	}
}

// TestMistake_HeadersInAnAddress writes lines, headers and further recipients into
// what becomes part of a mail or of a text message.
func TestMistake_HeadersInAnAddress(t *testing.T) {
	w := newTown(t)
	alice := w.User(t, "alice")
	there := w.atIdentity(t, alice)
	for _, address := range []string{
		"a@example.org\r\nBcc: victim@example.net", "a@example.org\nBcc:victim@example.net", "a@example.org\rX: y", "a\r\n@example.org", "a@example.org\r\n.\r\nMAIL FROM:<x@example.org>",
		"a@example.org>\r\nRCPT TO:<victim@example.net", "<a@example.org>", "a@example.org>", "A <a@example.org>", "a@example.org,victim@example.net", "a@example.org;victim@example.net",
		"a@example.org victim@example.net", "victim@example.net,@example.org", "a@victim@example.org", `"a@example.org"`, `"a b"@example.org`, `"\r\n"@example.org`, `a\@example.org`, "a(b)@example.org",
		"a@[127.0.0.1]", "a@localhost", "a@127.0.0.1", "a@example.org:25", "a@example.org/x", "a@exam ple.org", "a@example.org\x00", "\x00a@example.org", "a\u2028@example.org", "a\u0085b@example.org",
		"a\u200bb@example.org", "a@example.org?bcc=victim@example.net", "mailto:a@example.org", "a@example.org\u202e", "@example.org", "a@", "a@.example.org", "a..b@example.org", ".a@example.org",
		strings.Repeat("a", 65) + "@example.org", "a@" + strings.Repeat("b.", 130) + "org", "=?utf-8?q?a?=\r\n@example.org",
	} {
		for _, path := range []string{forRegister, forAdd, forPassword} {
			w.Anyone().Do(t, "POST", path, mailWish(address, oneSecret)).Fails(t, w.Server, errcode.InvalidParam)
		}
		there.Do(t, "POST", forIdentity, mailWish(address, oneSecret)).Fails(t, w.Server, errcode.InvalidEmail)
	}
	for _, number := range []string{
		"07400 123456\r\nTo: +15551234567", "07400\n123456", "07400 123456,07400 654321", "07400 123456;ext=1", "07400 123456 x1", "tel:07400123456", "07400123456&to=1", `07400"123456`,
		"07400 123456\x00", "+", "0", "٠٧٤٠٠\u200f١٢٣٤٥٦", strings.Repeat("1", 65), "0900 1234567890123456",
	} {
		for _, path := range []string{forRegister, forAdd, forPassword} {
			w.Anyone().Do(t, "POST", strings.Replace(path, "/email/", "/msisdn/", 1), phoneWish(number, oneSecret)).Fails(t, w.Server, errcode.InvalidParam)
		}
		r := there.Do(t, "POST", strings.Replace(forIdentity, "/email/", "/msisdn/", 1), phoneWish(number, oneSecret))
		if !is(r, errcode.InvalidAddress) && !is(r, errcode.InvalidParam) {
			t.Errorf("%q: got %d %s", number, r.Status, r.Body)
		}
	}
	if mails := w.mails.All(); len(mails) != 0 {
		t.Errorf("%d mails were sent: %+v", len(mails), mails)
	}

	// What is odd, but an address, gets one mail with whole headers.
	for _, address := range []string{"-oq@example.org", "a%victim@example.org", "victim!a@example.org", "o'hara+x=y@example.org", "{a|b}~`^@example.org", "jürgen@bücher.example", "=?utf-8?q?a?=@example.org"} {
		w.begin(t, w.Anyone(), forRegister, address, oneSecret)
	}
	// Neither do an invitation's texts become headers.
	there.Do(t, "POST", is2+"/store-invite", object{"medium": "email", "address": "invited@example.org", "room_id": "!a:narthex.test", "sender": alice.UserID,
		"room_name": "A room\r\nBcc: victim@example.net\r\n\r\nA body", "sender_display_name": "Alice\r\nReply-To: mallory@example.net\u2028", "room_alias": "#a:narthex.test\r\nX-Evil: 1"}).OK(t, nil)
	w.RunJobs(t)
	mails := w.mails.All()
	if len(mails) != 8 {
		t.Errorf("%d mails were sent, want 8", len(mails))
	}
	known := regexp.MustCompile(`^(Auto-Submitted|Content-Type|Date|From|Message-Id|Mime-Version|Subject|To|X-Auto-Response-Suppress)$`)
	for _, m := range mails {
		to, err := netmail.ParseAddressList(m.Header.Get("To"))
		if err != nil || len(to) != 1 || to[0].Address != m.To {
			t.Errorf("to %s: the header is %q, %v", m.To, m.Header.Get("To"), err)
		}
		for name, values := range m.Header {
			if !known.MatchString(name) || len(values) != 1 {
				t.Errorf("to %s: the header %s is %q", m.To, name, values)
			}
		}
	}
}

// TestMistake_TP66_AddressesThatFoldTogether asks to reset the password of an account by
// an address that only looks like its own once its case is folded. The mail may go to
// the stored address, and nowhere else (TP-66).
func TestMistake_TP66_AddressesThatFoldTogether(t *testing.T) {
	const found, unknown, malformed = "found", "unknown", "malformed"
	for _, c := range []struct{ stored, typed, want string }{
		{"mike@example.org", "MIKE@EXAMPLE.ORG", found},
		{"mike@example.org", "mi\u212ae@example.org", found}, // Kelvin sign
		{"sam@example.org", "\u017fam@example.org", found},   // long s
		{"mass@example.org", "ma\u00df@example.org", found},
		{"office@example.org", "o\ufb03ce@example.org", found}, // a ligature
		{"mike@example.org", "m\u0131ke@example.org", unknown}, // dotless i
		{"mike@example.org", "M\u0130KE@example.org", unknown}, // dotted I
		{"mike@example.org", "m\u0456ke@example.org", unknown}, // Cyrillic
		{"mike@example.org", "\uff4dike@example.org", unknown}, // full width
		{"mike@example.org", "mike\u0301@example.org", unknown},
		{"mike@example.org", "mike@e\u0445ample.org", unknown}, // Cyrillic
		{"mike@example.org", "mike@example\uff0eorg", found},   // full stop of full width
		{"mike@example.org", "mike@\u24d4xample.org", found},   // e in a circle
		{"mike@kasse.example", "mike@\u212aa\u017f\u017fe.example", found},
		{"mike@strasse.example", "mike@stra\u00dfe.example", unknown}, // two domains
		{"mike@example.org", "mike@example.org.", found},
		{"mike@example.org", "mi\u00adke@example.org", malformed}, // soft hyphen
		{"mike@example.org", "mi\u200dke@example.org", malformed}, // joiner
		{"mike@example.org", "mike\u3000@example.org", malformed}, // a wide space
	} {
		t.Run(fmt.Sprintf("%+q", c.typed), func(t *testing.T) {
			w := newTown(t)
			w.own(t, w.User(t, "alice").UserID, "email", c.stored)
			r := w.Anyone().Do(t, "POST", forPassword, mailWish(c.typed, oneSecret))
			mails := w.mails.All()
			switch c.want {
			case found:
				r.OK(t, nil)
				if len(mails) != 1 || mails[0].To != c.stored || !strings.Contains(mails[0].Header.Get("To"), c.stored) {
					t.Errorf("got the mails %+v, want one to %s", mails, c.stored)
				}
				// Neither does it make another account of the same address.
				w.Anyone().Do(t, "POST", forRegister, mailWish(c.typed, oneSecret)).Fails(t, w.Server, errcode.ThreepidInUse)
			case unknown:
				r.Fails(t, w.Server, errcode.ThreepidNotFound)
			case malformed:
				r.Fails(t, w.Server, errcode.InvalidParam)
			}
			if c.want != found && len(mails) != 0 {
				t.Errorf("got the mails %+v, want none", mails)
			}
		})
	}
}

// TestMistake_SubAddressesAreOneAccount holds that what some mail providers deliver
// to one person is not taken for one address: others deliver it to two.
func TestMistake_SubAddressesAreOneAccount(t *testing.T) {
	w := newTown(t)
	alice, bob := w.User(t, "alice"), w.User(t, "bob")
	w.own(t, alice.UserID, "email", "alice.smith@example.org")
	for _, typed := range []string{"alice.smith+x@example.org", "alicesmith@example.org", "alice.smith-x@example.org", "alice.smith@mail.example.org", "alice_smith@example.org", "alice.smith=example.org@example.org"} {
		w.Anyone().Do(t, "POST", forPassword, mailWish(typed, oneSecret)).Fails(t, w.Server, errcode.ThreepidNotFound)
	}
	if mails := w.mails.All(); len(mails) != 0 {
		t.Errorf("%d mails were sent", len(mails))
	}
	w.add(t, bob, w.validated(t, bob, forAdd, "alice.smith+x@example.org", oneSecret)).OK(t, nil)
	reset := w.validated(t, w.Anyone(), forPassword, "alice.smith+x@example.org", oneSecret)
	w.reset(t, reset).OK(t, nil)
	if !w.logsIn(t, "alice", apitest.Password) || !w.logsIn(t, "bob", fresh) {
		t.Error("the password of another account was reset")
	}
}

// TestMistake_AMailScannerFollowsTheLink has machines open the link that resets a
// password, before the person does.
func TestMistake_AMailScannerFollowsTheLink(t *testing.T) {
	w := newTown(t)
	w.own(t, w.User(t, "alice").UserID, "email", "alice@example.org")
	s := w.begin(t, w.Anyone(), forPassword, "alice@example.org", oneSecret)
	link := w.mails.Last(t, "alice@example.org").Link(t, w.Server)
	for _, header := range []http.Header{
		{"User-Agent": {"Mozilla/5.0 (compatible; scanner)"}}, {"Accept": {"*/*"}}, {"Accept": {"application/json"}}, {"Accept": {"text/html"}},
		{"Purpose": {"prefetch"}}, {"Sec-Purpose": {"prefetch;prerender"}}, {"X-Http-Method-Override": {"POST"}}, {"Range": {"bytes=0-99"}},
	} {
		scanner := w.Anyone()
		scanner.Header = header
		for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
			if r := scanner.Do(t, method, link, nil); r.Header.Get("Location") != "" {
				t.Errorf("%s %v: it leads to %s", method, header, r.Header.Get("Location"))
			}
		}
	}
	w.unproven(t, w.reset(t, s))

	// A link that only confirms an address may be followed, but not by looking at it.
	other := w.begin(t, w.User(t, "bob"), forAdd, "bob@example.org", oneSecret)
	w.Anyone().Do(t, "HEAD", w.mails.Last(t, "bob@example.org").Link(t, w.Server), nil)
	bob := w.Device(t, "@bob:narthex.test", "OTHER")
	if r := w.add(t, bob, other); !is(r, errcode.ThreepidAuthFailed) {
		t.Errorf("HEAD validated an address: got %d %s", r.Status, r.Body)
	}

	w.Anyone().Do(t, "POST", s.path(""), s.with("token", w.token(t, "alice@example.org"))).OK(t, nil)
	w.reset(t, s).OK(t, nil)
}

// TestMistake_TheTokenIsInTheReferer holds that the pages behind a link tell nobody
// its address: they load nothing from elsewhere, and say so to the browser.
func TestMistake_TheTokenIsInTheReferer(t *testing.T) {
	w := newTown(t, func(cfg *config.Config) { cfg.Threepid.NextLinkHosts = []string{"app.example.org"} })
	w.own(t, w.User(t, "alice").UserID, "email", "alice@example.org")
	browser := w.Anyone()
	browser.Header = http.Header{"Accept": {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}}
	resource := regexp.MustCompile(`(?i)(?:src|srcset|href|action|formaction|poster|data|content)="([^"]*)"`)

	s := session{secret: oneSecret}
	wish := mailWish("alice@example.org", oneSecret)
	wish["next_link"] = "https://app.example.org/done"
	w.Anyone().Do(t, "POST", forPassword, wish).OK(t, &s)
	token := w.token(t, "alice@example.org")
	link := w.mails.Last(t, "alice@example.org").Link(t, w.Server)
	w.begin(t, w.Anyone(), forRegister, "new@example.org", oneSecret)
	confirm := w.mails.Last(t, "new@example.org").Link(t, w.Server)
	for name, r := range map[string]*apitest.Response{
		"the button":   browser.Do(t, "GET", link, nil),
		"the failure":  browser.Do(t, "GET", confirm+"x", nil),
		"the success":  browser.Do(t, "GET", confirm, nil),
		"after button": browser.Do(t, "POST", s.path(""), url.Values{"sid": {s.SID}, "client_secret": {oneSecret}, "token": {token}}),
	} {
		html := string(r.Body)
		if r.Header.Get("Referrer-Policy") != "no-referrer" || !strings.HasPrefix(r.Header.Get("Content-Security-Policy"), "default-src 'none'") || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: the header is %v", name, r.Header)
		}
		for _, m := range resource.FindAllStringSubmatch(html, -1) {
			if away := strings.Contains(m[1], "//"); away && m[1] != "https://app.example.org/done?sid="+s.SID {
				t.Errorf("%s: the page leads to %s", name, m[1])
			}
		}
		if strings.Contains(html, "<script") || strings.Contains(html, "http-equiv") || strings.Contains(html, "url(") {
			t.Errorf("%s: the page is %s", name, html)
		}
		if name != "the button" && (strings.Contains(html, token) || strings.Contains(html, oneSecret)) {
			t.Errorf("%s: the page repeats the token or the secret", name)
		}
	}

	// On its way to the client a browser carries nothing but the id.
	back := mailWish("back@example.org", oneSecret)
	back["next_link"] = "https://app.example.org/done"
	w.Anyone().Do(t, "POST", forRegister, back).OK(t, nil)
	r := browser.Do(t, "GET", w.mails.Last(t, "back@example.org").Link(t, w.Server), nil)
	if to := r.Header.Get("Location"); strings.Contains(to, w.token(t, "back@example.org")) || strings.Contains(to, oneSecret) || r.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("got %q %v", to, r.Header)
	}
}
