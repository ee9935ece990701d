package admin

import (
	"context"
	"slices"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

// userResponse is an account as Synapse's tools read it. What this server does
// not have is always null or false.
type userResponse struct {
	Name         id.UserID `json:"name"`
	DisplayName  *string   `json:"displayname"`
	AvatarURL    *string   `json:"avatar_url"`
	IsGuest      bool      `json:"is_guest"`
	Admin        bool      `json:"admin"`
	Deactivated  bool      `json:"deactivated"`
	Erased       bool      `json:"erased"`
	Locked       bool      `json:"locked"`
	Suspended    bool      `json:"suspended"`
	ShadowBanned bool      `json:"shadow_banned"`
	UserType     *string   `json:"user_type"`
	CreationTS   int64     `json:"creation_ts"` // milliseconds
	LastSeenTS   *int64    `json:"last_seen_ts"`
	// Approved is left out while approval is switched off.
	Approved *bool `json:"approved,omitzero"`
}

// describe makes the answers for accounts, with one statement for the profiles of
// all and one for their devices.
func (s *Service) describe(tx *db.Tx, found []accounts.Account) ([]userResponse, error) {
	ids := make([]id.UserID, len(found))
	for i, a := range found {
		ids[i] = a.UserID
	}
	profiles, err := s.accounts.Profiles(tx, ids)
	if err != nil {
		return nil, err
	}
	seen, err := s.accounts.LastSeen(tx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]userResponse, len(found))
	for i, a := range found {
		p := profiles[a.UserID]
		out[i] = userResponse{
			Name: a.UserID, DisplayName: p.DisplayName, AvatarURL: p.AvatarURL, IsGuest: a.Guest, Admin: a.Admin,
			Deactivated: a.Deactivated, Erased: a.Erased, Locked: a.Locked, Suspended: a.Suspended, CreationTS: a.Created.UnixMilli(),
		}
		if last, ok := seen[a.UserID]; ok {
			ts := last.UnixMilli()
			out[i].LastSeenTS = &ts
		}
		if s.cfg.Approval.Enabled {
			approved := !a.Pending()
			out[i].Approved = &approved
		}
	}
	return out, nil
}

type listUsersRequest struct {
	UserID      string   `query:"user_id"`
	Name        string   `query:"name"`
	Guests      *bool    `query:"guests"`
	Admins      *bool    `query:"admins"`
	Deactivated *bool    `query:"deactivated"`
	Locked      bool     `query:"locked"`
	Approved    *string  `query:"approved"`
	OrderBy     string   `query:"order_by"`
	Dir         string   `query:"dir"`
	From        *int64   `query:"from"`
	Limit       *int64   `query:"limit"`
	NotUserType []string `query:"not_user_type"` // no account has a type
}

type listUsersResponse struct {
	Users     []userResponse `json:"users"`
	Total     int64          `json:"total"`
	NextToken int64          `json:"next_token,omitzero,string"`
}

// listUsers is the older form: deactivated=true adds the deactivated accounts.
func (s *Service) listUsers(ctx context.Context, call *httpapi.Call, req listUsersRequest) (listUsersResponse, error) {
	active := false
	if req.Deactivated != nil && *req.Deactivated {
		req.Deactivated = nil
	} else {
		req.Deactivated = &active
	}
	return s.listUsersV3(ctx, call, req)
}

// listUsersV3 is the newer form: deactivated=true leaves only those, and without
// it there are all.
func (s *Service) listUsersV3(ctx context.Context, _ *httpapi.Call, req listUsersRequest) (resp listUsersResponse, err error) {
	filter, err := s.userFilter(req)
	if err != nil {
		return resp, err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		found, total, err := s.accounts.Users(tx, filter)
		if err != nil {
			return err
		}
		resp.Users, err = s.describe(tx, found)
		resp.Total = total
		if end := filter.From + int64(len(found)); end < total && len(found) > 0 {
			resp.NextToken = end
		}
		return err
	})
	return resp, err
}

var userOrders = []accounts.UserOrder{
	"", accounts.OrderByName, accounts.OrderByDisplayName, accounts.OrderByAvatar, accounts.OrderByCreation, accounts.OrderByLastSeen,
	accounts.OrderByGuest, accounts.OrderByAdmin, accounts.OrderByDeactivated, accounts.OrderByLocked,
}

func (s *Service) userFilter(req listUsersRequest) (f accounts.UserFilter, err error) {
	if len(req.Name) > id.MaxLength {
		return f, invalid("name", "no localpart is longer than 255 bytes")
	}
	if len(req.UserID) > id.MaxLength {
		return f, invalid("user_id", "no user ID is longer than 255 bytes")
	}
	no := false
	f = accounts.UserFilter{Localpart: req.Name, Admin: req.Admins, Deactivated: req.Deactivated, Order: accounts.UserOrder(req.OrderBy)}
	if req.Name == "" {
		f.Name = req.UserID
	}
	if req.Guests != nil && !*req.Guests {
		f.Guest = &no
	}
	if !req.Locked {
		f.Locked = &no
	}
	if f.Order == "user_type" || f.Order == "shadow_banned" {
		f.Order = accounts.OrderByName // all accounts are alike in these
	}
	if !slices.Contains(userOrders, f.Order) {
		return f, invalid("order_by", "the server cannot sort by it")
	}
	if f.Backwards, err = isBackwards(req.Dir); err != nil {
		return f, err
	}
	if f.Pending, err = s.wantsPending(req.Approved); err != nil {
		return f, err
	}
	f.From, f.Limit, err = page(req.From, req.Limit)
	return f, err
}

func isBackwards(dir string) (bool, error) {
	switch dir {
	case "", "f":
		return false, nil
	case "b":
		return true, nil
	}
	return false, invalid("dir", `it must be "f" or "b"`)
}

// wantsPending reads the parameter "approved". Only false is a filter, and
// none is while approval is switched off.
func (s *Service) wantsPending(approved *string) (bool, error) {
	switch {
	case approved == nil, !s.cfg.Approval.Enabled, *approved == "true":
		return false, nil
	case *approved == "false":
		return true, nil
	}
	return false, invalid("approved", `it must be "true" or "false"`)
}

// userDetails is userResponse with what is shown of a single account only.
type userDetails struct {
	userResponse
	Threepids               []threepid `json:"threepids"`
	ExternalIDs             []threepid `json:"external_ids"`
	AppserviceID            *string    `json:"appservice_id"`
	ConsentVersion          *string    `json:"consent_version"`
	ConsentServerNoticeSent *string    `json:"consent_server_notice_sent"`
	ConsentTS               *int64     `json:"consent_ts"`
}

func (s *Service) getUser(ctx context.Context, _ *httpapi.Call, req userRequest) (resp userDetails, err error) {
	err = s.look(ctx, req.UserID, func(tx *db.Tx, a accounts.Account) (err error) {
		resp, err = s.details(tx, a)
		return err
	})
	return resp, err
}

func (s *Service) details(tx *db.Tx, a accounts.Account) (userDetails, error) {
	described, err := s.describe(tx, []accounts.Account{a})
	if err != nil {
		return userDetails{}, err
	}
	addresses, err := s.accounts.Threepids(tx, a.UserID)
	details := userDetails{userResponse: described[0], Threepids: make([]threepid, len(addresses))}
	for i, t := range addresses {
		details.Threepids[i] = threepid{t.Medium, t.Address, t.Added.UnixMilli(), t.Validated.UnixMilli()}
	}
	return details, err
}
