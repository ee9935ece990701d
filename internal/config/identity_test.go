package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPoliciesJoinTheLanguagesOfADocument(t *testing.T) {
	got := Identity{Terms: []string{
		"terms 1.0 en https://a.example/en Terms of  Service",
		"privacy 2 en https://a.example/p Privacy",
		"terms 1.0 fr https://a.example/fr Conditions",
		"not an entry",
	}}.Policies()
	want := []Policy{
		{ID: "terms", Version: "1.0", Languages: []PolicyText{{"en", "https://a.example/en", "Terms of Service"}, {"fr", "https://a.example/fr", "Conditions"}}},
		{ID: "privacy", Version: "2", Languages: []PolicyText{{"en", "https://a.example/p", "Privacy"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
