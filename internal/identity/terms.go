package identity

import (
	"context"
	"slices"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

type policyText struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

type getTermsResponse struct {
	// Policies have the member "version" and one of type policyText for each
	// language, beside each other.
	Policies map[string]map[string]any `json:"policies"`
}

func (s *Service) getTerms(context.Context, *httpapi.Call, noRequest) (getTermsResponse, error) {
	resp := getTermsResponse{Policies: map[string]map[string]any{}}
	for _, policy := range s.policies {
		document := map[string]any{"version": policy.Version}
		for _, text := range policy.Languages {
			document[text.Language] = policyText{Name: text.Name, URL: text.URL}
		}
		resp.Policies[policy.ID] = document
	}
	return resp, nil
}

type agreeToTermsRequest struct {
	UserAccepts []string `json:"user_accepts" required:"true"`
}

// agreeToTerms remembers what the user has accepted, beside what they accepted
// before. Addresses that are none of the service's documents are not kept.
func (s *Service) agreeToTerms(ctx context.Context, call *httpapi.Call, req agreeToTermsRequest) (resp noResponse, err error) {
	var accepted []string
	for _, policy := range s.policies {
		for _, text := range policy.Languages {
			if slices.Contains(req.UserAccepts, text.URL) {
				accepted = append(accepted, text.URL)
			}
		}
	}
	if len(accepted) == 0 {
		return resp, nil
	}
	return resp, s.db.Write(ctx, func(tx *db.Tx) error {
		for _, url := range accepted { // as many as the configuration has
			if err := acceptTerms(tx, call.UserID, url); err != nil {
				return err
			}
		}
		return nil
	})
}

// termsDue reports whether there is a document that the user has not accepted, in
// any language.
func (s *Service) termsDue(tx *db.Tx, user id.UserID) (bool, error) {
	if len(s.policies) == 0 {
		return false, nil
	}
	accepted, err := acceptedTerms(tx, user)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(s.policies, func(policy config.Policy) bool {
		return !slices.ContainsFunc(policy.Languages, func(text config.PolicyText) bool { return slices.Contains(accepted, text.URL) })
	}), nil
}
