package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

// SSO holds the keys sso.*.
type SSO struct {
	Providers []Provider `key:"providers"`
}

// A Provider is one entry of sso.providers: an OpenID Connect provider that vouches
// for people.
type Provider struct {
	ID                string   `key:"id"`
	Name              string   `key:"name"`
	Brand             string   `key:"brand"` // for clients, such as "github"; may be empty
	Icon              string   `key:"icon"`  // a file; empty: none
	Issuer            string   `key:"issuer"`
	ClientID          string   `key:"client_id"`
	ClientSecret      string   `key:"client_secret" secret:"true"` // empty: a public client
	TokenAuth         string   `key:"token_auth" oneof:"auto,basic,post"`
	Scopes            []string `key:"scopes"`
	UserInfo          bool     `key:"userinfo"`
	SubjectClaim      string   `key:"subject_claim"`
	Localpart         string   `key:"localpart"`   // a template, see ClaimTemplate
	DisplayName       string   `key:"displayname"` // likewise
	Email             string   `key:"email"`       // likewise
	AskUsername       bool     `key:"ask_username"`
	Link              string   `key:"link" oneof:"none,by_email"`
	AllowRegistration bool     `key:"allow_registration"`
	Require           []string `key:"require"` // see Requirements
}

// DefaultProvider is what an entry of sso.providers begins with.
func DefaultProvider() Provider {
	return Provider{
		TokenAuth: "auto", Scopes: []string{"openid", "profile", "email"}, SubjectClaim: "sub",
		Localpart: "{{.preferred_username}}", DisplayName: "{{.name}}", Email: "{{.email}}",
		Link: "none", AllowRegistration: true, Require: []string{},
	}
}

// ClaimTemplate reads a template over the claims of a provider, which it names as
// {{.claim}}. A claim that is missing is an error when the template is executed.
// Besides the functions of text/template there are lower, trim, and before, which
// gives what stands before a separator: {{before "@" .email}}.
func ClaimTemplate(text string) (*template.Template, error) {
	return template.New("claim").Option("missingkey=error").Funcs(template.FuncMap{
		"lower": strings.ToLower,
		"trim":  strings.TrimSpace,
		"before": func(separator, text string) string {
			head, _, _ := strings.Cut(text, separator)
			return head
		},
	}).Parse(text)
}

// A Requirement is something that a claim has to say.
type Requirement struct {
	Claim string
	// Contains asks for a list that has the value; otherwise the claim is the value.
	Contains bool
	Value    string
}

// Requirements reads Require, which has been checked: each entry is a claim, the word
// "is" or "contains", and a value. All of them have to hold.
func (p Provider) Requirements() []Requirement {
	var out []Requirement
	for _, entry := range p.Require {
		if r, ok := requirement(entry); ok {
			out = append(out, r)
		}
	}
	return out
}

func requirement(entry string) (r Requirement, ok bool) {
	words := strings.SplitN(strings.TrimSpace(entry), " ", 3)
	if len(words) != 3 || (words[1] != "is" && words[1] != "contains") {
		return r, false
	}
	r = Requirement{Claim: words[0], Contains: words[1] == "contains", Value: strings.TrimSpace(words[2])}
	return r, r.Value != ""
}

var (
	providerFields = fieldsOf(reflect.TypeFor[Provider](), "", nil)
	providerID     = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)
	brand          = regexp.MustCompile(`^[a-z0-9._-]{0,255}$`) // "Common Namespaced Identifier Grammar" of the appendices, near enough
	// IconTypes are the endings of files that may be icons, and their types.
	IconTypes = map[string]string{".png": "image/png", ".svg": "image/svg+xml", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}
)

func (f *findings) sso(c Config) {
	seen := map[string]bool{}
	for i, p := range c.SSO.Providers {
		key := fmt.Sprintf("sso.providers[%d]", i+1)
		if providerID.MatchString(p.ID) {
			key = fmt.Sprintf("sso.providers[%s]", p.ID)
		} else {
			f.add(key+".id", "%q is not an id of small letters, digits, - and _; it is part of addresses and cannot be changed later", p.ID)
		}
		if seen[p.ID] {
			f.add(key+".id", "another provider has this id; give each its own")
		}
		seen[p.ID] = true
		f.provider(key, p, c.Dev)
		f.choicesOf(key+".", providerFields, reflect.ValueOf(p))
	}
}

func (f *findings) provider(key string, p Provider, dev bool) {
	for _, needed := range []struct{ name, text string }{{"name", p.Name}, {"client_id", p.ClientID}, {"subject_claim", p.SubjectClaim}} {
		if needed.text == "" {
			f.add(key+"."+needed.name, "is missing")
		}
	}
	if !brand.MatchString(p.Brand) {
		f.add(key+".brand", "%q is not a brand such as github: small letters, digits, and . - _", p.Brand)
	}
	u, problem := webURL(p.Issuer)
	switch {
	case p.Issuer == "":
		f.add(key+".issuer", "is missing; it is the address that the provider calls itself, such as https://accounts.example.org")
	case problem != "":
		f.add(key+".issuer", "%s", problem)
	case u.RawQuery != "" || u.Fragment != "":
		f.add(key+".issuer", "%q has a query or a fragment, which an issuer cannot have", p.Issuer)
	case u.Scheme != "https" && !dev:
		f.add(key+".issuer", "%q is not protected; use an https:// address", p.Issuer)
	}
	if !slices.Contains(p.Scopes, "openid") {
		f.add(key+".scopes", "openid is missing, without which a provider says nothing of the person")
	}
	for _, t := range []struct{ name, text string }{{"localpart", p.Localpart}, {"displayname", p.DisplayName}, {"email", p.Email}} {
		if _, err := ClaimTemplate(t.text); err != nil {
			f.add(key+"."+t.name, "%q is not a template such as {{.preferred_username}}: %w", t.text, err)
		}
	}
	for _, entry := range p.Require {
		if _, ok := requirement(entry); !ok {
			f.add(key+".require", "%q is not a claim, one of the words is and contains, and a value, such as: groups contains staff", entry)
		}
	}
	f.icon(key+".icon", p.Icon)
}

func (f *findings) icon(key, path string) {
	if path == "" {
		return
	}
	if IconTypes[strings.ToLower(filepath.Ext(path))] == "" {
		f.add(key, "%s is not a file that ends in .png, .svg, .jpg or .webp", path)
		return
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		f.add(key, "%w", pathError(path, err))
	case !info.Mode().IsRegular() || info.Size() > maxFileBytes:
		f.add(key, "%s is no plain file of at most %d bytes", path, maxFileBytes)
	}
}
