package config

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLoadEntries reads a list of entries, and refuses what is wrong in one.
func TestLoadEntries(t *testing.T) {
	writeFile(t, `
sso:
  providers:
    - id: example
      name: Example Login
      issuer: https://login.example.org
      client_id: narthex
      client_secret_file: secret
      scopes: [openid, groups]
      require: ["groups contains staff", "email_verified is true"]
      userinfo: true
      link: by_email
    - id: other
      name: Other
      issuer: https://other.example.org/realm
      client_id: "7"
      client_secret: hush
`)
	if err := os.WriteFile("secret", []byte("whisper\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := Default()
	first, second := DefaultProvider(), DefaultProvider()
	first.ID, first.Name, first.Issuer, first.ClientID, first.ClientSecret = "example", "Example Login", "https://login.example.org", "narthex", "whisper"
	first.Scopes, first.Require, first.UserInfo, first.Link = []string{"openid", "groups"}, []string{"groups contains staff", "email_verified is true"}, true, "by_email"
	second.ID, second.Name, second.Issuer, second.ClientID, second.ClientSecret = "other", "Other", "https://other.example.org/realm", "7", "hush"
	want.SSO.Providers = []Provider{first, second}
	got, err := Load(Default(), "narthex.yaml", nil)
	same(t, err, "")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Load (-want +got):\n%s", diff)
	}
	same(t, got.Check(), "")
	if diff := cmp.Diff([]Requirement{{"groups", true, "staff"}, {"email_verified", false, "true"}}, got.SSO.Providers[0].Requirements()); diff != "" {
		t.Errorf("Requirements (-want +got):\n%s", diff)
	}
	shown := got.Redacted()
	if shown.SSO.Providers[0].ClientSecret != redacted || shown.SSO.Providers[1].ClientSecret != redacted || got.SSO.Providers[1].ClientSecret != "hush" {
		t.Errorf("Redacted: %+v of %+v", shown.SSO, got.SSO)
	}
}

const keysOfAnEntry = "there is no such key; an entry has id, name, brand, icon, issuer, client_id, client_secret, client_secret_file, token_auth, scopes, userinfo, " +
	"subject_claim, localpart, displayname, email, ask_username, link, allow_registration, require"

func TestLoadEntriesRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"sso: {providers: {id: x}}":                                                            `narthex.yaml:1: sso.providers: expected a list of entries, each with its keys, got further keys`,
		"sso: {providers: [x]}":                                                                `narthex.yaml:1: sso.providers: expected a list of entries, each with its keys, got a text in the list`,
		"sso:\n  providers:\n    - isuer: x":                                                   `narthex.yaml:3: sso.providers[1].isuer: there is no such key; did you mean issuer?`,
		"sso:\n  providers:\n    - scopes_file: x":                                             `narthex.yaml:3: sso.providers[1].scopes_file: ` + keysOfAnEntry,
		"sso:\n  providers:\n    - 1: y":                                                       `narthex.yaml:3: expected the name of a key, got a number`,
		"sso:\n  providers:\n    - id: x\n      id: y":                                         `narthex.yaml:4: sso.providers[1].id: the key is given twice, first in line 3`,
		"sso:\n  providers:\n    - userinfo: perhaps":                                          `narthex.yaml:3: sso.providers[1].userinfo: expected true or false, got "perhaps"`,
		"sso:\n  providers:\n    - link: always":                                               `narthex.yaml:3: sso.providers[1].link: expected one of none, by_email, got "always"`,
		"sso:\n  providers:\n    - scopes: openid":                                             `narthex.yaml:3: sso.providers[1].scopes: expected a list of texts, got a text`,
		"sso:\n  providers:\n    - completely_unheard: x":                                      `narthex.yaml:3: sso.providers[1].completely_unheard: ` + keysOfAnEntry,
		"sso:\n  providers:\n    - id: x\n      client_secret: a\n      client_secret_file: b": `narthex.yaml:5: sso.providers[1].client_secret_file: client_secret is given too; remove one of the two`,
		"sso:\n  providers:\n    - client_secret_file: nowhere":                                `narthex.yaml:3: sso.providers[1].client_secret_file: nowhere: no such file or directory`,
	} {
		writeFile(t, text)
		_, err := Load(Default(), "narthex.yaml", nil)
		same(t, err, want)
	}
	_, err := Load(Default(), "", []string{"NARTHEX_SSO_PROVIDERS=x"})
	same(t, err, "NARTHEX_SSO_PROVIDERS: entries have keys of their own; write sso.providers into the file")
}

func TestCheckProviders(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, size := range map[string]int{"icon.png": 10, "large.png": maxFileBytes + 1} {
		if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		change func(p *Provider)
		want   string
	}{
		{func(*Provider) {}, ``},
		{func(p *Provider) { p.Icon = "icon.png" }, ``},
		{func(p *Provider) { p.ID = "Ex/ample" }, `sso.providers[1].id: "Ex/ample" is not an id of small letters, digits, - and _; it is part of addresses and cannot be changed later`},
		{func(p *Provider) { p.Name, p.ClientID, p.SubjectClaim = "", "", "" }, "sso.providers[example].name: is missing\nsso.providers[example].client_id: is missing\nsso.providers[example].subject_claim: is missing"},
		{func(p *Provider) { p.Brand = "Git Hub" }, `sso.providers[example].brand: "Git Hub" is not a brand such as github: small letters, digits, and . - _`},
		{func(p *Provider) { p.Issuer = "" }, `sso.providers[example].issuer: is missing; it is the address that the provider calls itself, such as https://accounts.example.org`},
		{func(p *Provider) { p.Issuer = "login.example.org" }, `sso.providers[example].issuer: "login.example.org" is not a web address such as https://example.org`},
		{func(p *Provider) { p.Issuer = "https://login.example.org/?x" }, `sso.providers[example].issuer: "https://login.example.org/?x" has a query or a fragment, which an issuer cannot have`},
		{func(p *Provider) { p.Issuer = "http://login.example.org" }, `sso.providers[example].issuer: "http://login.example.org" is not protected; use an https:// address`},
		{func(p *Provider) { p.Scopes = []string{"email"} }, `sso.providers[example].scopes: openid is missing, without which a provider says nothing of the person`},
		{func(p *Provider) { p.Localpart = "{{.name" }, `sso.providers[example].localpart: "{{.name" is not a template such as {{.preferred_username}}: template: claim:1: unclosed action`},
		{func(p *Provider) { p.Require = []string{"staff"} }, `sso.providers[example].require: "staff" is not a claim, one of the words is and contains, and a value, such as: groups contains staff`},
		{func(p *Provider) { p.Icon = "icon.gif" }, `sso.providers[example].icon: icon.gif is not a file that ends in .png, .svg, .jpg or .webp`},
		{func(p *Provider) { p.Icon = "none.png" }, `sso.providers[example].icon: none.png: no such file or directory`},
		{func(p *Provider) { p.Icon = "large.png" }, `sso.providers[example].icon: large.png is no plain file of at most 65536 bytes`},
		{func(p *Provider) { p.Link, p.TokenAuth = "always", "jwt" }, "sso.providers[example].token_auth: expected one of auto, basic, post, got \"jwt\"\nsso.providers[example].link: expected one of none, by_email, got \"always\""},
	} {
		c := Default()
		p := DefaultProvider()
		p.ID, p.Name, p.Issuer, p.ClientID = "example", "Example", "https://login.example.org", "narthex"
		test.change(&p)
		c.SSO.Providers = []Provider{p}
		same(t, c.Check(), test.want)
	}
	c := Default()
	p := DefaultProvider()
	p.ID, p.Name, p.Issuer, p.ClientID = "example", "Example", "https://login.example.org", "narthex"
	c.SSO.Providers = []Provider{p, p}
	same(t, c.Check(), "sso.providers[example].id: another provider has this id; give each its own")
}

// TestClaimTemplate holds that a missing claim is an error, and no empty text.
func TestClaimTemplate(t *testing.T) {
	claims := map[string]any{"email": " Alice@Example.org", "n": int64(7)}
	for text, want := range map[string]string{
		`{{.email}}`:                           " Alice@Example.org",
		`{{before "@" .email | trim | lower}}`: "alice",
		`u{{.n}}`:                              "u7",
		`{{.name}}`:                            "",
	} {
		parsed, err := ClaimTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := parsed.Execute(&b, claims); (err != nil) != (want == "") || b.String() != want {
			t.Errorf("%s: %q, %v", text, b.String(), err)
		}
	}
}
