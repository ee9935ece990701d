package oauth

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// A clientMetadata is how a client describes itself, as it asks for it and as it is
// registered. Client-server API, "Client metadata"; RFC 7591 section 2.
type clientMetadata struct {
	Name            string   `json:"client_name,omitzero"`
	URI             string   `json:"client_uri"`
	LogoURI         string   `json:"logo_uri,omitzero"`
	TosURI          string   `json:"tos_uri,omitzero"`
	PolicyURI       string   `json:"policy_uri,omitzero"`
	RedirectURIs    []string `json:"redirect_uris,omitempty"`
	ResponseTypes   []string `json:"response_types"`
	GrantTypes      []string `json:"grant_types"`
	AuthMethod      string   `json:"token_endpoint_auth_method"`
	ApplicationType string   `json:"application_type"`
	// Localized holds what is said in other languages, such as "client_name#fr". In
	// a request it holds all members that this server does not know, too.
	Localized jsontext.Value `json:",inline"`
}

const (
	maxClientName   = 100 // characters
	maxRedirectURIs = 32
	maxLocalized    = 64
)

// registered checks what a client asks for and gives what is registered: only what
// this server knows, with defaults filled in, so that equal clients are equal. dev
// is that of parseClientURI. The error is errcode.InvalidClientMetadata or
// errcode.InvalidRedirectURI.
func (m clientMetadata) registered(dev bool) (clientMetadata, error) {
	base, problem := parseClientURI(m.URI, dev)
	if problem != "" {
		return m, badMetadata("client_uri", problem)
	}
	if m.Name, problem = clientName(m.Name); problem != "" {
		return m, badMetadata("client_name", problem)
	}
	for _, link := range []struct{ name, uri string }{{"logo_uri", m.LogoURI}, {"tos_uri", m.TosURI}, {"policy_uri", m.PolicyURI}} {
		if problem := base.problem(link.uri); link.uri != "" && problem != "" {
			return m, badMetadata(link.name, problem)
		}
	}
	if err := m.setGrants(); err != nil {
		return m, err
	}
	if err := m.setRedirects(base); err != nil {
		return m, err
	}
	err := m.setLocalized(base)
	return m, err
}

// setGrants keeps the grants that this server knows. Every session here can be
// refreshed, so that grant need not be asked for.
func (m *clientMetadata) setGrants() error {
	asked := m.GrantTypes
	if len(asked) == 0 {
		asked = []string{grantCode}
	}
	withCode, withDevice := slices.Contains(asked, grantCode), slices.Contains(asked, grantDeviceCode)
	m.GrantTypes = nil
	switch answers := m.ResponseTypes; {
	case !withCode && !withDevice:
		return badMetadata("grant_types", "has to contain "+grantCode+" or "+grantDeviceCode)
	case withCode && len(answers) > 0 && !slices.Contains(answers, "code"):
		return badMetadata("response_types", "has to contain code, because grant_types contains "+grantCode)
	case withCode:
		m.ResponseTypes, m.GrantTypes = []string{"code"}, []string{grantCode}
	default:
		m.ResponseTypes = []string{}
	}
	m.GrantTypes = append(m.GrantTypes, grantRefresh)
	if withDevice {
		m.GrantTypes = append(m.GrantTypes, grantDeviceCode)
	}
	if m.AuthMethod == "" {
		m.AuthMethod = "none" // a client that runs on people's devices can keep no secret
	}
	if m.AuthMethod != "none" {
		return badMetadata("token_endpoint_auth_method", "has to be none; this server gives clients no secrets")
	}
	return nil
}

func (m *clientMetadata) setRedirects(base clientBase) error {
	if m.ApplicationType == "" {
		m.ApplicationType = webApplication
	}
	if m.ApplicationType != webApplication && m.ApplicationType != nativeApplication {
		return badMetadata("application_type", "has to be "+webApplication+" or "+nativeApplication)
	}
	if len(m.RedirectURIs) == 0 && slices.Contains(m.GrantTypes, grantCode) {
		return errcode.InvalidRedirectURI.New("redirect_uris is empty; %s needs at least one URI.", grantCode)
	}
	if len(m.RedirectURIs) > maxRedirectURIs {
		return errcode.InvalidRedirectURI.New("redirect_uris has more than %d URIs.", maxRedirectURIs)
	}
	var once []string
	for i, uri := range m.RedirectURIs {
		if problem := base.redirectProblem(uri, m.ApplicationType); problem != "" {
			return errcode.InvalidRedirectURI.New("URI %d of redirect_uris %s.", i+1, problem)
		}
		if !slices.Contains(once, uri) {
			once = append(once, uri)
		}
	}
	m.RedirectURIs = once
	return nil
}

// setLocalized keeps the members that repeat a text in another language.
func (m *clientMetadata) setLocalized(base clientBase) error {
	if len(m.Localized) == 0 {
		return nil
	}
	members, err := canonicaljson.AppendMembers(nil, m.Localized)
	if err != nil {
		return err
	}
	kept := map[string]string{}
	for _, member := range members {
		key := string(member.Key)
		name, language, _ := strings.Cut(key, "#")
		if !slices.Contains([]string{"client_name", "logo_uri", "tos_uri", "policy_uri"}, name) || !isLanguage(language) {
			continue
		}
		text, ok := canonicaljson.Text(member.Value)
		if !ok {
			return badMetadata(key, "has to be a text")
		}
		problem := ""
		if name == "client_name" {
			text, problem = clientName(text)
		} else if text != "" {
			problem = base.problem(text)
		}
		if problem != "" {
			return badMetadata(key, problem)
		}
		if text != "" {
			kept[key] = text
		}
	}
	if len(kept) > maxLocalized {
		return badMetadata("the metadata", "has more than "+strconv.Itoa(maxLocalized)+" texts in other languages")
	}
	m.Localized, err = json.Marshal(kept, json.Deterministic(true))
	return err
}

// isLanguage reports whether text has the form of a language tag (RFC 5646).
func isLanguage(text string) bool {
	if len(text) > 35 {
		return false
	}
	for part := range strings.SplitSeq(text, "-") {
		if part == "" || len(part) > 8 || strings.ContainsFunc(part, func(r rune) bool { return !isAlphanumeric(r) }) {
			return false
		}
	}
	return true
}

// clientName gives a name as people are to see it: on one line, and without
// characters that are invisible or that turn the text around them.
func clientName(text string) (name, problem string) {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsSpace(r) && (unicode.In(r, unicode.C, unicode.Other_Default_Ignorable_Code_Point) || r == '\u2800') {
			return -1
		}
		return r
	}, text)
	name = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(name) > maxClientName {
		return "", "is longer than " + strconv.Itoa(maxClientName) + " characters"
	}
	return name, ""
}

// id derives the client ID, so that clients with the same metadata share one.
func (m clientMetadata) id() (clientID string, stored []byte, err error) {
	stored, err = json.Marshal(m)
	sum := sha256.Sum256(stored)
	return base64.RawURLEncoding.EncodeToString(sum[:18]), stored, err
}

func badMetadata(member, problem string) error {
	return errcode.InvalidClientMetadata.New("%s %s.", member, problem)
}
