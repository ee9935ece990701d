package push

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

type emptyRequest struct{}

type emptyResponse struct{}

type pushRulesResponse struct {
	Global ruleset `json:"global"`
}

type ruleRequest struct {
	Kind   Kind   `path:"kind"`
	RuleID string `path:"ruleId"`
}

func (s *Service) getPushRules(ctx context.Context, call *httpapi.Call, _ emptyRequest) (resp pushRulesResponse, err error) {
	resp.Global, err = s.read(ctx, call.UserID)
	return resp, err
}

func (s *Service) getPushRulesGlobal(ctx context.Context, call *httpapi.Call, _ emptyRequest) (ruleset, error) {
	return s.read(ctx, call.UserID)
}

func (s *Service) getPushRule(ctx context.Context, call *httpapi.Call, req ruleRequest) (Rule, error) {
	all, err := s.read(ctx, call.UserID)
	if err != nil {
		return Rule{}, err
	}
	if r, ok := all.find(req.Kind, req.RuleID); ok {
		return r, nil
	}
	return Rule{}, noRule()
}

// read gives the user's rules as clients see them.
func (s *Service) read(ctx context.Context, userID id.UserID) (all ruleset, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		c, _, err := changesOf(tx, userID)
		all = c.named(userID)
		return err
	})
	return all, err
}

// change changes the user's rules; edit may run more than once.
func (s *Service) change(ctx context.Context, userID id.UserID, edit func(*changes) error) (emptyResponse, error) {
	return emptyResponse{}, s.db.Write(ctx, func(tx *db.Tx) error {
		if err := tx.Lock("push_rules", string(userID)); err != nil { // two clients may edit at once
			return err
		}
		c, _, err := changesOf(tx, userID)
		if err != nil {
			return err
		}
		if err := edit(&c); err != nil {
			return err
		}
		return putChanges(tx, userID, c)
	})
}

func noRule() error {
	return errcode.NotFound.New("You have no push rule of this kind with this ID.")
}

type setPushRuleRequest struct {
	Kind       Kind             `path:"kind"`
	RuleID     string           `path:"ruleId"`
	Before     string           `query:"before"`
	After      string           `query:"after"`
	Actions    []jsontext.Value `json:"actions" required:"true"`
	Conditions []jsontext.Value `json:"conditions"`
	Pattern    *string          `json:"pattern"`
}

func (s *Service) setPushRule(ctx context.Context, call *httpapi.Call, req setPushRuleRequest) (resp emptyResponse, err error) {
	if err := checkRuleID(req.Kind, req.RuleID); err != nil {
		return resp, err
	}
	r := Rule{RuleID: req.RuleID}
	if r.Actions, err = checkActions(req.Actions); err != nil {
		return resp, err
	}
	switch req.Kind {
	case Override, Underride:
		if r.Conditions, err = checkConditions(req.Conditions); err != nil {
			return resp, err
		}
	case Content:
		if req.Pattern == nil || *req.Pattern == "" {
			return resp, errcode.MissingParam.New("%q is missing: the words to look for.", "pattern").With("param", "pattern")
		}
		if err := checkPattern(*req.Pattern); err != nil {
			return resp, err
		}
		r.Pattern = *req.Pattern
	}
	return s.change(ctx, call.UserID, func(c *changes) error {
		if !c.put(req.Kind, r, req.Before, req.After) {
			return errcode.RuleAnchorNotFound.New("You have no rule of this kind with the ID given as before or after. The server's own rules have a fixed place.")
		}
		return nil
	})
}

func (s *Service) deletePushRule(ctx context.Context, call *httpapi.Call, req ruleRequest) (emptyResponse, error) {
	if _, ok := defaults.find(req.Kind, req.RuleID); ok {
		return emptyResponse{}, errcode.InvalidParam.New("The server's own rules cannot be removed. Switch the rule off instead.").With("param", "ruleId")
	}
	return s.change(ctx, call.UserID, func(c *changes) error {
		if !c.remove(req.Kind, req.RuleID) {
			return noRule()
		}
		return nil
	})
}

type pushRuleEnabled struct {
	Enabled bool `json:"enabled"`
}

func (s *Service) isPushRuleEnabled(ctx context.Context, call *httpapi.Call, req ruleRequest) (pushRuleEnabled, error) {
	r, err := s.getPushRule(ctx, call, req)
	return pushRuleEnabled{r.Enabled}, err
}

type setPushRuleEnabledRequest struct {
	Kind    Kind   `path:"kind"`
	RuleID  string `path:"ruleId"`
	Enabled *bool  `json:"enabled" required:"true"`
}

func (s *Service) setPushRuleEnabled(ctx context.Context, call *httpapi.Call, req setPushRuleEnabledRequest) (emptyResponse, error) {
	return s.change(ctx, call.UserID, func(c *changes) error {
		if !c.edit(req.Kind, req.RuleID, req.Enabled, nil) {
			return noRule()
		}
		return nil
	})
}

type pushRuleActions struct {
	Actions []jsontext.Value `json:"actions"`
}

func (s *Service) getPushRuleActions(ctx context.Context, call *httpapi.Call, req ruleRequest) (pushRuleActions, error) {
	r, err := s.getPushRule(ctx, call, req)
	return pushRuleActions{r.Actions}, err
}

type setPushRuleActionsRequest struct {
	Kind    Kind             `path:"kind"`
	RuleID  string           `path:"ruleId"`
	Actions []jsontext.Value `json:"actions" required:"true"`
}

func (s *Service) setPushRuleActions(ctx context.Context, call *httpapi.Call, req setPushRuleActionsRequest) (emptyResponse, error) {
	actions, err := checkActions(req.Actions)
	if err != nil {
		return emptyResponse{}, err
	}
	return s.change(ctx, call.UserID, func(c *changes) error {
		if !c.edit(req.Kind, req.RuleID, nil, actions) {
			return noRule()
		}
		return nil
	})
}

type accountDataRequest struct {
	UserID id.UserID `path:"userId"`
}

func (s *Service) getAccountData(ctx context.Context, call *httpapi.Call, req accountDataRequest) (pushRulesResponse, error) {
	if req.UserID != call.UserID {
		return pushRulesResponse{}, notYours()
	}
	return s.getPushRules(ctx, call, emptyRequest{})
}

type setAccountDataRequest struct {
	UserID  id.UserID      `path:"userId"`
	Content jsontext.Value `body:"*"`
}

// setAccountData refuses everyone: the server writes push rules itself.
func (s *Service) setAccountData(_ context.Context, call *httpapi.Call, req setAccountDataRequest) (emptyResponse, error) {
	if req.UserID != call.UserID {
		return emptyResponse{}, notYours()
	}
	return emptyResponse{}, errcode.ServerManaged.New("The server writes m.push_rules itself. Use the push rules endpoints to change them.")
}

func notYours() error {
	return errcode.Forbidden.New("Push rules belong to the user who made them. Use your own user ID in the path.")
}
