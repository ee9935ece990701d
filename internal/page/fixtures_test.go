package page_test

import (
	"html/template"
	"time"

	"github.com/narthex-matrix/narthex/internal/page"
)

var now = time.Date(2026, 11, 22, 14, 30, 0, 0, time.UTC)

const (
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
	alice   = "@alice:example.org"
)

var (
	element = page.Client{Name: "Element", URI: "https://app.element.example/", Policy: "https://app.element.example/privacy", Terms: "https://app.element.example/terms"}
	laptop  = page.Device{ID: "ABCDEFGHIJ", Name: "Alice’s laptop", Client: &element, SignedIn: now.AddDate(0, -2, 0), Seen: now.Add(-time.Hour),
		SeenIP: "192.0.2.17", UserAgent: firefox}
	phone = page.Device{ID: "9f+Kq0Zr6bX1m", Client: &page.Client{Name: "FluffyChat"}, SignedIn: now.AddDate(0, 0, -1), Seen: now.Add(-20 * time.Second),
		SeenIP: "2001:db8::17", UserAgent: "FluffyChat/2.3 (Android 15)"}
	hostile = page.Client{Name: "<b>Ele\u202emnet\u200b</b>\u00a0 \n" + string(make([]rune, 3)) + "Supercalifragilisticexpialidocious-and-then-some-more-letters-without-a-space-to-break-at-all",
		URI: "https://" + longHost + "/", Policy: "javascript:alert(1)"}
)

var providers = []page.Provider{{ID: "example", Name: "Example Login", Icon: true, Begin: "/sso/begin/example?continue=%2Faccount"}, {ID: "other", Name: "Another One", Begin: "/sso/begin/other?continue=%2Faccount"}}

var ownAddresses = []page.OwnAddress{
	{Mail: true, Medium: "email", Address: "alice@example.org", Shown: "alice@example.org", Added: now.AddDate(0, -3, 0)},
	{Mail: true, Medium: "email", Address: "alice@" + longHost, Shown: "alice@" + longHost, Added: now.AddDate(0, 0, -1)},
	{Medium: "msisdn", Address: "447700900123", Shown: "+44 7700 900123", Added: now.Add(-time.Hour)},
}

const longHost = "a-very-long-name-of-a-host-that-hardly-fits-anywhere.and-then-another-part-of-it-as-well.example"

// pages are all pages, in each of their shapes, by the name of their picture.
var pages = map[string]page.Page{
	"sign-in":         page.SignIn{Continue: "/account", Register: true},
	"sign-in-for-app": page.SignIn{Continue: "/oauth2/authorize?client_id=1&state=<&>", For: &element, Register: true},
	"sign-in-wrong":   page.SignIn{Continue: "/account", Username: "alice", Problem: page.Problem{Text: "The username or the password is wrong."}},
	"register":        page.Register{Continue: "/account", MinLength: 8},
	"register-all": page.Register{Continue: "/account", For: &element, NeedToken: true, Terms: &page.Terms{Name: "Terms of Service", URL: "https://example.org/terms"}, Approval: true, MinLength: 8,
		Reason: &page.Reason{MaxLength: 500}},
	"register-reason":     page.Register{Continue: "/account", Approval: true, MinLength: 8, Reason: &page.Reason{Required: true, MaxLength: 500}, Problem: page.Problem{Field: "reason", Text: "Say why you want to join."}},
	"register-taken":      page.Register{Continue: "/account", Username: "alice", MinLength: 8, Problem: page.Problem{Field: "username", Text: "This username is taken. Choose another one."}},
	"has-account":         page.HasAccount{UserID: alice, Here: "/register?token=chess-club"},
	"waiting-new":         page.Waiting{New: true, Account: alice, Since: now},
	"waiting-app":         page.Waiting{Account: alice, Since: now.AddDate(0, 0, -1), Address: "alice@example.org", Reason: "I sing in the choir, and <b>would like</b> to hear what it plans.", For: &element, Return: template.URL("org.element.app:/callback?error=access_denied&state=x")},
	"sso-waiting":         page.SSO{Account: alice, ReturnsTo: "https://app.element.example", Address: "https://app.element.example/#/login", Here: "/sso", Awaiting: true, New: true},
	"sign-in-provider":    page.SignIn{Continue: "/account", Register: true, Providers: providers},
	"register-provider":   page.Register{Continue: "/account", MinLength: 8, Providers: providers},
	"confirm-provider":    page.Confirm{UserID: alice, Continue: "/account", Providers: providers},
	"welcome":             page.Welcome{Provider: "Example Login", Label: "alice@example.org", Username: "alice", For: &element, NeedToken: true, Terms: &page.Terms{Name: "Terms of Service", URL: "https://example.org/terms"}, Approval: true, Problem: page.Problem{Field: "username", Text: "The username alice is taken. Choose another one."}},
	"providers":           page.Providers{Links: []page.ProviderLink{{Provider: "example", Subject: "7", Name: "Example Login", Label: "alice.with.a.long.address@sub.domain.example.org", Linked: now.AddDate(0, -2, 0), Used: now}, {Provider: "gone", Subject: "7", Label: "7", Linked: now.AddDate(0, -2, 0), Used: now}}, Others: providers, Done: "From now on you can sign in with it."},
	"providers-none":      page.Providers{Others: providers},
	"onward":              page.Onward{Name: "Example Login", URL: "https://login.example.org/authorize?client_id=1"},
	"password-none":       page.Password{UserID: alice, MinLength: 8},
	"signed-out":          page.SignedOut{},
	"signed-out-closed":   page.SignedOut{Closed: true},
	"consent":             page.Consent{Client: element, Account: alice, ReturnsTo: "app.element.example", DeviceID: "ABCDEFGHIJ", Here: "/oauth2/authorize?client_id=1", Query: "client_id=1"},
	"consent-replaces":    page.Consent{Client: page.Client{}, Account: alice, ReturnsTo: "org.element.app:", DeviceID: "ABCDEFGHIJ", Replaces: &laptop, Here: "/oauth2/authorize?client_id=1", Query: "client_id=1"},
	"consent-hostile":     page.Consent{Client: hostile, Account: alice, ReturnsTo: longHost, DeviceID: "ABCDEFGHIJ", Here: "/oauth2/authorize?client_id=1", Query: "client_id=1"},
	"sso":                 page.SSO{Account: alice, ReturnsTo: "https://chat.example.net", Address: "https://chat.example.net/?action=sso&next=%2Fhome", Here: "/sso?redirect_url=x"},
	"link-code":           page.LinkCode{},
	"link-code-wrong":     page.LinkCode{Code: "BCDF-GHJK", Problem: page.Problem{Field: "user_code", Text: "This code is not known, was used, or has run out. Ask the other device for a new one."}},
	"link-code-locked":    page.LinkCode{Locked: true},
	"link":                page.Link{Client: element, Account: alice, Code: "WDJB-MJHT", IP: "192.0.2.17", UserAgent: firefox, Asked: now.Add(-2 * time.Minute), DeviceID: "9f+Kq0Zr6bX1m", Here: "/link?user_code=WDJB-MJHT"},
	"link-replaces":       page.Link{Client: hostile, Account: alice, Code: "WDJB-MJHT", IP: "2001:db8::17", UserAgent: "curl/8.9.1", Asked: now.Add(-20 * time.Second), DeviceID: "ABCDEFGHIJ", Replaces: &laptop, Here: "/link", Problem: page.Problem{Field: "mine", Text: "Tick this if it is your device. Otherwise choose Deny."}},
	"link-awaiting":       page.Link{Client: element, Account: alice, Code: "WDJB-MJHT", IP: "192.0.2.17", UserAgent: firefox, Asked: now, DeviceID: "9f+Kq0Zr6bX1m", Awaiting: true, Here: "/link"},
	"link-done":           page.LinkDone{Client: element, Allowed: true},
	"link-denied":         page.LinkDone{Client: element},
	"link-done-earlier":   page.LinkDone{Client: element, Allowed: true, Earlier: true},
	"account":             page.Account{UserID: alice, DisplayName: "Alice Liddell", Created: now.AddDate(-1, 0, 0), Sessions: 3},
	"account-done":        page.Account{UserID: alice, Created: now, Sessions: 1, Done: "Your password is changed."},
	"sessions":            page.Sessions{Devices: []page.Device{laptop, phone, {ID: "NEVER", SignedIn: now, Seen: time.UnixMilli(0)}}, Done: "The session is signed out."},
	"sessions-none":       page.Sessions{},
	"session":             page.Session{Device: laptop},
	"session-delete":      page.Session{Device: phone, Ask: true},
	"password":            page.Password{HasPassword: true, AskPassword: true, UserID: alice, MinLength: 8},
	"password-wrong":      page.Password{HasPassword: true, AskPassword: true, UserID: alice, MinLength: 8, Problem: page.Problem{Field: "password", Text: "This is not your password."}},
	"profile":             page.Profile{UserID: alice, DisplayName: `Alice "Al" <Liddell>`},
	"password-proved":     page.Password{HasPassword: true, UserID: alice, MinLength: 8},
	"deactivate":          page.Deactivate{AskPassword: true, UserID: alice},
	"deactivate-wrong":    page.Deactivate{AskPassword: true, UserID: alice, Erase: true, Problem: page.Problem{Field: "password", Text: "This is not your password."}},
	"reset-identity":      page.ResetIdentity{AskPassword: true, UserID: alice},
	"reset-identity-done": page.ResetIdentity{AskPassword: true, UserID: alice, Allowed: true},
	"security":            page.Security{CanAdd: true, Password: true},
	"security-all":        page.Security{CanAdd: true, Password: true, Codes: now.AddDate(0, 0, -3), Recovery: 9, Done: "The passkey is added.", Passkeys: []page.Passkey{{ID: "AQID", Name: "Laptop", Added: now.AddDate(0, -1, 0), Used: now.Add(-time.Hour)}, {ID: "BAUG", Name: "Blue <b>key</b>", Added: now}}},
	"security-no-names":   page.Security{},
	"passkey":             page.PasskeyDetails{Passkey: page.Passkey{ID: "AQID", Name: "Laptop", Added: now.AddDate(0, -1, 0), Synced: true}},
	"passkey-last":        page.PasskeyDetails{Passkey: page.Passkey{ID: "AQID", Name: "Laptop", Added: now}, Problem: page.Problem{Text: "This server wants you to have a second proof, and this is your last one. Add another first."}},
	"ask-passkey":         page.AskPasskey{Heading: "Sign in with a passkey", Lead: "Your browser asks you which passkey to use, and to unlock it.", Button: "Use a passkey", Action: "/login/passkey", Options: `{"a":"<\"'"}`, Continue: "/account", Back: "/login"},
	"ask-passkey-new":     page.AskPasskey{Heading: "Add a passkey", Lead: "Your browser asks you where to keep it.", Button: "Make the passkey", Action: "/account/security/passkeys", Create: true, Back: "/account/security", Problem: page.Problem{Text: "The passkey was not added. Try again."}},
	"codes":               page.OneTimeCodes{Action: "/account/security/codes", Secret: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", Address: "otpauth://totp/example.org:%40alice:example.org?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=example.org"},
	"codes-required":      page.OneTimeCodes{Action: "/login/set-up", Secret: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", Address: "otpauth://totp/x", Required: true, Passkey: true, Continue: "/account", Problem: page.Problem{Field: "code", Text: "This is not the code of now."}},
	"recovery-codes":      page.RecoveryCodes{First: true, Continue: "/account/security", Codes: []string{"0123-4567-89ab-cdef", "ghjk-mnpq-rstv-wxyz", "0123-4567-89ab-cdeg", "ghjk-mnpq-rstv-wxy0"}},
	"second-step":         page.SecondStep{Codes: true, Passkey: true, Recovery: true, Continue: "/account"},
	"fallback":            page.Fallback{Account: alice, What: "sign out one of your sessions", Session: "a-session", Here: "/x"},
	"fallback-done":       page.Fallback{Account: alice, Done: true},
	"second-step-codes":   page.SecondStep{Codes: true, Continue: "/account", Problem: page.Problem{Field: "code", Text: "This code is wrong, or was used already. Wait for the next one of your app."}},
	"confirm-codes":       page.Confirm{UserID: alice, Codes: true, Passkey: true, Continue: "/account/security"},
	"confirm":             page.Confirm{UserID: alice, Password: true, Passkey: true, Continue: "/account/security"},
	"confirm-both":        page.Confirm{UserID: alice, Act: "close your account", Password: true, Codes: true, Recovery: true, Passkey: true, Providers: providers, Continue: "/account/deactivate"},
	"confirm-recovery":    page.Confirm{UserID: alice, Act: page.ActOf("/admin/user/act?act=lock&id=%40bob%3Aexample.org"), Password: true, Recovery: true, Passkey: true, Continue: "/account/deactivate"},
	"confirm-wrong":       page.Confirm{UserID: alice, Password: true, Continue: "/account/security", Problem: page.Problem{Field: "password", Text: "This is not your password."}},
	"confirm-address":     page.ConfirmAddress{Action: "/threepid/submitToken", SID: "a-sid", ClientSecret: "a.secret", Token: `"><b>`},
	"address-confirmed":   page.AddressConfirmed{},
	"password-confirmed":  page.AddressConfirmed{Password: true, Next: "https://app.example.org/#/welcome"},
	"sign-in-address":     page.SignIn{Continue: "/account", Register: true, Media: page.Media{Mail: true, Phone: true}, Done: "Your password is changed. Sign in with the new one."},
	"register-addresses":  page.Register{Continue: "/account", MinLength: 8, Addresses: []page.AddressField{{Mail: true, Medium: "email", Text: "alice"}, {Medium: "msisdn", Optional: true}}, Problem: page.Problem{Field: "email", Text: "A mail address has an @, such as alice@example.org."}},
	"forgot":              page.ForgotPassword{Continue: "/account", Media: page.Media{Mail: true, Phone: true}},
	"forgot-wrong":        page.ForgotPassword{Continue: "/account", Media: page.Media{Phone: true}, Address: "0170 1", Problem: page.Problem{Field: "address", Text: "There can be no such phone number. Check the digits and the country."}},
	"forgot-code":         page.AddressCode{Action: "/forgot-password/code", SID: "a-sid", Continue: "/account", Discreet: true, Sent: []page.Sent{{Mail: true, Medium: "email", Address: "alice@" + longHost}}, Again: "/forgot-password", Button: "Go on"},
	"forgot-code-wrong":   page.AddressCode{Action: "/forgot-password/code", SID: "a-sid", Continue: "/account", Discreet: true, Sent: []page.Sent{{Medium: "msisdn", Address: "+44 7700 900123"}}, Again: "/forgot-password", Button: "Go on", Problem: page.Problem{Field: "code_msisdn", Text: "This is not the code that was sent. Look at the message again."}},
	"register-codes":      page.AddressCode{Action: "/register/code", Sent: []page.Sent{{Mail: true, Medium: "email", Address: "alice@example.org", Confirmed: true}, {Medium: "msisdn", Address: "+44 7700 900123"}}, Again: "/register?again=yes", Button: "Go on"},
	"register-confirmed":  page.AddressCode{Action: "/register/code", Sent: []page.Sent{{Mail: true, Medium: "email", Address: "alice@example.org", Confirmed: true}}, Again: "/register?again=yes", Button: "Make the account"},
	"add-code":            page.AddressCode{Action: "/account/addresses/code", SID: "a-sid", Sent: []page.Sent{{Mail: true, Medium: "email", Address: "alice@example.org"}}, UserID: alice, Again: "/account/addresses", Button: "Add the address"},
	"new-password":        page.NewPassword{UserID: alice, SID: "a-sid", Continue: "/account", MinLength: 8, Problem: page.Problem{Field: "new_password", Text: "The password needs at least 8 characters."}},
	"elsewhere":           page.Elsewhere{Again: "/forgot-password"},
	"addresses":           page.Addresses{Own: ownAddresses, Media: page.Media{Mail: true, Phone: true}, Done: "The address is added."},
	"addresses-none":      page.Addresses{Media: page.Media{Mail: true}, Address: "bob@example.org", Problem: page.Problem{Field: "address", Text: "This address belongs to an account already. Sign in to that account, or use another address."}},
	"addresses-refused":   page.Addresses{Own: ownAddresses, Media: page.Media{Mail: true}, Refused: "This server does not let people change the addresses of their account. Ask its administrator."},
	"remove-address":      page.RemoveAddress{UserID: alice, Address: ownAddresses[0], Problem: page.Problem{Field: "password", Text: "This is not your password."}},
	"failure-ours":        page.Failure{Status: 500, Text: "The server failed to answer this request.", RequestID: "Zk3xw0aPq1bT"},
	"failure-missing":     page.Failure{Status: 404, Text: "This server has no such page."},
	"failure-stale":       page.Failure{Status: 403, Text: "This form is out of date, and nothing was changed. Open the page again.", Back: "/login"},
}
