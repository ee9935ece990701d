package config

import (
	"slices"
	"strings"
)

// Identity holds the keys identity.*.
type Identity struct {
	Enabled        bool     `key:"enabled"`
	Terms          []string `key:"terms"` // see Policies
	AllowedServers []string `key:"allowed_servers"`
	PepperLifetime Duration `key:"pepper_lifetime"`
	PlainLookup    bool     `key:"plain_lookup"`
	WebClient      string   `key:"web_client"` // empty: invitations lead to the account page
}

// Outbound holds the keys outbound.*.
type Outbound struct {
	AllowedNetworks []string `key:"allowed_networks"`
	Authorities     string   `key:"authorities"` // a PEM file; empty: those of the system
}

func defaultIdentity() Identity {
	return Identity{Terms: []string{}, AllowedServers: []string{}, PepperLifetime: 24 * hour}
}

// A Policy is a document that users of the identity service accept, in one
// language or several.
type Policy struct {
	ID        string // "terms_of_service"
	Version   string
	Languages []PolicyText
}

// A PolicyText is a policy in one language.
type PolicyText struct {
	Language string // "en"
	URL      string
	Name     string
}

// Policies reads identity.terms, which has been checked: each entry is the id, the
// version, the language, the address and the name of a document, with spaces
// between. Entries of one id make one policy.
func (i Identity) Policies() []Policy {
	var policies []Policy
	for _, entry := range i.Terms {
		id, version, text, problem := policyText(entry)
		if problem != "" {
			continue
		}
		at := slices.IndexFunc(policies, func(p Policy) bool { return p.ID == id })
		if at < 0 {
			at = len(policies)
			policies = append(policies, Policy{ID: id, Version: version})
		}
		policies[at].Languages = append(policies[at].Languages, text)
	}
	return policies
}

func policyText(entry string) (id, version string, text PolicyText, problem string) {
	words := strings.Fields(entry)
	if len(words) < 5 {
		return "", "", text, "is not an id, a version, a language, an address and a name, such as: terms_of_service 1.0 en https://example.org/terms-1.0-en Terms of Service"
	}
	if _, problem := webURL(words[3]); problem != "" {
		return "", "", text, "has an address that is none: " + problem
	}
	if words[2] == "version" {
		return "", "", text, `has the language "version"; write a code such as en`
	}
	return words[0], words[1], PolicyText{Language: words[2], URL: words[3], Name: strings.Join(words[4:], " ")}, ""
}

func (f *findings) identity(c Config) {
	f.within("identity.pepper_lifetime", c.Identity.PepperLifetime, hour, 365*24*hour)
	versions := map[string]string{}
	for _, entry := range c.Identity.Terms {
		id, version, _, problem := policyText(entry)
		switch {
		case problem != "":
			f.add("identity.terms", "%q %s", entry, problem)
		case versions[id] != "" && versions[id] != version:
			f.add("identity.terms", "%q has another version than the entry before it with the same id; give each language of a document the same version", entry)
		}
		versions[id] = version
	}
	for _, server := range c.Identity.AllowedServers {
		if problem := serverNameProblem(server); problem != "" {
			f.add("identity.allowed_servers", "%q %s", server, problem)
		}
	}
	if link := c.Identity.WebClient; link != "" {
		if problem := baseURLProblem(link); problem != "" {
			f.add("identity.web_client", "%s", problem)
		}
	}
	f.networks("outbound.allowed_networks", c.Outbound.AllowedNetworks)
}
