package admin

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/validation"
)

type listRegistrationsRequest struct {
	State *string `query:"state"` // one or several, separated by commas; absent: all
	From  string  `query:"from"`
	Limit *int64  `query:"limit"`
}

type listRegistrationsResponse struct {
	Registrations []registration `json:"registrations"`
	Total         int64          `json:"total"`
	NextFrom      string         `json:"next_from,omitzero"`
}

// registration is an account that was made while approval was in use.
type registration struct {
	UserID            id.UserID  `json:"user_id"`
	CreatedTS         int64      `json:"created_ts"`
	DisplayName       *string    `json:"displayname"`
	Threepids         []threepid `json:"threepids"`
	IP                string     `json:"ip"`
	UserAgent         string     `json:"user_agent"`
	RegistrationToken *string    `json:"registration_token"`
	SSOProvider       *string    `json:"sso_provider"`
	Reason            *string    `json:"reason"` // why the person wants to join
	State             string     `json:"state"`
}

// threepid is an address of an account.
type threepid struct {
	Medium      validation.Medium `json:"medium"`
	Address     string            `json:"address"`
	AddedAt     int64             `json:"added_at"`     // milliseconds
	ValidatedAt int64             `json:"validated_at"` // likewise
}

func (s *Service) listRegistrations(ctx context.Context, _ *httpapi.Call, req listRegistrationsRequest) (resp listRegistrationsResponse, err error) {
	_, limit, err := page(nil, req.Limit)
	if err != nil {
		return resp, err
	}
	var states []string
	if req.State != nil {
		states = strings.Split(*req.State, ",")
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		rows, total, next, err := s.accounts.Registrations(tx, states, req.From, int(limit))
		if err != nil {
			return err
		}
		users := make([]id.UserID, len(rows))
		for i, row := range rows {
			users[i] = row.UserID
		}
		profiles, err := s.accounts.Profiles(tx, users)
		if err != nil {
			return err
		}
		addresses, err := s.accounts.AddressesOf(tx, users)
		if err != nil {
			return err
		}
		resp = listRegistrationsResponse{Registrations: make([]registration, len(rows)), Total: total, NextFrom: next}
		for i, row := range rows {
			resp.Registrations[i] = registration{
				UserID: row.UserID, CreatedTS: row.Created.UnixMilli(), DisplayName: profiles[row.UserID].DisplayName,
				IP: row.Signup.IP, UserAgent: row.Signup.UserAgent, RegistrationToken: orNull(row.Signup.Token), SSOProvider: orNull(row.Signup.Provider), Reason: orNull(row.Signup.Reason), State: row.State,
			}
			resp.Registrations[i].Threepids = threepidsFrom(addresses[row.UserID])
		}
		return nil
	})
	return resp, err
}

func threepidsFrom(addresses []accounts.Threepid) []threepid {
	out := make([]threepid, len(addresses))
	for i, a := range addresses {
		out[i] = threepid{Medium: a.Medium, Address: a.Address, AddedAt: a.Added.UnixMilli(), ValidatedAt: a.Validated.UnixMilli()}
	}
	return out
}

func orNull[S ~string](text S) *S {
	if text == "" {
		return nil
	}
	return &text
}

// decisionResponse says what a registration is after a decision.
type decisionResponse struct {
	UserID id.UserID `json:"user_id"`
	State  string    `json:"state"`
}

type approveRegistrationRequest struct {
	UserID id.UserID `path:"userId"`
	Note   string    `json:"note"`
}

func (s *Service) approveRegistration(ctx context.Context, call *httpapi.Call, req approveRegistrationRequest) (decisionResponse, error) {
	return decisionResponse{req.UserID, accounts.StateApproved}, s.Approve(ctx, call.UserID, req.UserID, req.Note)
}

type denyRegistrationRequest struct {
	UserID  id.UserID `path:"userId"`
	Reason  string    `json:"reason"`
	Release bool      `json:"release_localpart"`
}

func (s *Service) denyRegistration(ctx context.Context, call *httpapi.Call, req denyRegistrationRequest) (decisionResponse, error) {
	return decisionResponse{req.UserID, accounts.StateDenied}, s.Deny(ctx, call.UserID, req.UserID, req.Reason, req.Release)
}

type revokeRegistrationRequest struct {
	UserID         id.UserID `path:"userId"`
	RevokeSessions bool      `json:"revoke_sessions"`
}

func (s *Service) revokeRegistration(ctx context.Context, call *httpapi.Call, req revokeRegistrationRequest) (decisionResponse, error) {
	return decisionResponse{req.UserID, accounts.StatePending}, s.Unapprove(ctx, call.UserID, req.UserID, req.RevokeSessions)
}

// maxRemark is the length of what an administrator writes into the audit log, in
// characters.
const maxRemark = 1000

func checkRemark(param, text string) error {
	if utf8.RuneCountInString(text) > maxRemark {
		return invalid(param, "it may have at most 1000 characters")
	}
	return nil
}
