package oauth

import (
	"context"
	"errors"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/validation"
)

type registerRequest struct {
	Kind             string         `query:"kind"`
	Auth             *accounts.Auth `json:"auth"`
	Username         string         `json:"username"`
	Password         string         `json:"password"`
	DeviceID         string         `json:"device_id"`
	DeviceName       *string        `json:"initial_device_display_name"`
	InhibitLogin     *bool          `json:"inhibit_login"`
	RefreshToken     *bool          `json:"refresh_token"`
	GuestAccessToken string         `json:"guest_access_token"`
	// Reason is why the person wants to join; see approval.reason.
	Reason string `json:"io.github.narthex-matrix.reason"`
}

type registerResponse struct {
	UserID     id.UserID     `json:"user_id"`
	DeviceID   id.DeviceID   `json:"device_id,omitzero"`
	HomeServer id.ServerName `json:"home_server,omitzero"` // deprecated; older clients need it
	tokens     `json:",inline"`
}

// wish is what a registration asks for. The first request's is remembered, for a
// client that sends it only once; that is why it has the password's hash.
type wish struct {
	Username     string  `json:"username"`
	PasswordHash string  `json:"password_hash"`
	DeviceID     string  `json:"device_id"`
	DeviceName   *string `json:"device_name"`
	InhibitLogin bool    `json:"inhibit_login"`
	RefreshToken bool    `json:"refresh_token"`
	Reason       string  `json:"reason"`
}

// register makes an account. Client-server API, "Account registration".
func (s *Service) register(ctx context.Context, call *httpapi.Call, req registerRequest) (registerResponse, error) {
	switch req.Kind {
	case "guest":
		return s.registerGuest(ctx, call, req)
	case "", "user":
	default:
		return registerResponse{}, errcode.InvalidParam.New("%q has to be \"user\" or \"guest\".", "kind").With("param", "kind")
	}
	if !s.cfg.Registration.Enabled {
		return registerResponse{}, errcode.Forbidden.New("This server does not allow registration. Ask its administrator for an account.")
	}
	if resp, done, err := s.repeatRegistration(ctx, call, req.Auth); done || err != nil {
		return resp, err
	}
	if err := s.checkRegistration(ctx, req); err != nil {
		return registerResponse{}, err
	}
	asked, err := s.wishOf(ctx, req)
	if err != nil {
		return registerResponse{}, err
	}
	remembered, err := json.Marshal(asked)
	if err != nil {
		return registerResponse{}, err
	}
	proof, err := s.accounts.Interactive(ctx, call, accounts.Interaction{
		Flows: s.registrationFlows(), Purpose: validation.Register, Request: remembered,
	}, req.Auth)
	if err != nil {
		return registerResponse{}, err
	}
	if asked, err = s.completeWish(ctx, req, asked, proof); err != nil {
		return registerResponse{}, err
	}
	return s.enrol(ctx, call, req, asked, proof)
}

// registrationFlows are the ways to pass: what the administrator demands, in this
// order, and a dummy stage where nothing is. Optional addresses make a way for each
// choice of them. All of those end in the dummy stage, by which a client says that it
// gives no more.
func (s *Service) registrationFlows() [][]accounts.Stage {
	var stages []accounts.Stage
	if s.cfg.Registration.RequireToken {
		stages = append(stages, accounts.RegistrationTokenStage)
	}
	if s.cfg.Registration.Terms.URL != "" {
		stages = append(stages, accounts.TermsStage)
	}
	for _, medium := range s.cfg.Registration.RequiredThreepids {
		stages = append(stages, accounts.ThreepidStage(validation.Medium(medium)))
	}
	if stages == nil && len(s.cfg.Registration.OptionalThreepids) == 0 {
		stages = append(stages, accounts.DummyStage)
	}
	flows := [][]accounts.Stage{stages}
	for _, medium := range s.cfg.Registration.OptionalThreepids {
		for _, flow := range flows { // two media, so four flows at most
			flows = append(flows, append(slices.Clone(flow), accounts.ThreepidStage(validation.Medium(medium))))
		}
	}
	if len(flows) > 1 {
		for i := range flows {
			flows[i] = append(flows[i], accounts.DummyStage)
		}
	}
	return flows
}

// checkRegistration refuses, before any authentication, what cannot become an
// account.
func (s *Service) checkRegistration(ctx context.Context, req registerRequest) error {
	if _, err := deviceIDFrom(req.DeviceID); err != nil {
		return err
	}
	if req.Password != "" {
		if err := s.accounts.CheckNewPassword(req.Password); err != nil {
			return err
		}
	}
	if req.GuestAccessToken != "" {
		return s.db.Read(ctx, func(tx *db.Tx) error {
			_, err := guestToUpgrade(tx, req.GuestAccessToken, req.Username)
			return err
		})
	}
	if req.Username == "" {
		return nil
	}
	return s.checkAvailable(ctx, req.Username)
}

// checkAvailable fails with InvalidUsername, or UserInUse. A name is in use by
// whoever has it, pending and deactivated accounts included (MSC3866, A-11).
func (s *Service) checkAvailable(ctx context.Context, username string) error {
	userID, err := s.accounts.NewUserID(username)
	if err != nil {
		return err
	}
	err = s.db.ReadBriefly(ctx, func(tx *db.Tx) error {
		_, err := s.accounts.Find(tx, userID)
		return err
	})
	switch {
	case errors.Is(err, db.ErrNoRow):
		return nil
	case err == nil:
		return userInUse()
	}
	return err
}

func userInUse() error { return errcode.UserInUse.New("This username is taken. Choose another one.") }

// wishOf gathers what a request asks for. The password is hashed only if it is to
// be remembered: when a session begins.
func (s *Service) wishOf(ctx context.Context, req registerRequest) (w wish, err error) {
	w = wish{Username: req.Username, DeviceID: req.DeviceID, DeviceName: req.DeviceName}
	if w.Reason, err = s.accounts.CleanReason(req.Reason, accounts.ReasonParam); err != nil {
		return w, err
	}
	w.InhibitLogin = req.InhibitLogin != nil && *req.InhibitLogin
	w.RefreshToken = req.RefreshToken != nil && *req.RefreshToken
	if req.Password != "" && (req.Auth == nil || req.Auth.Session == "") {
		w.PasswordHash, err = s.passwords.Hash(ctx, req.Password)
	}
	return w, err
}

// completeWish fills what this request leaves out from what the first one asked.
func (s *Service) completeWish(ctx context.Context, req registerRequest, w wish, proof accounts.Proof) (wish, error) {
	var first wish
	if err := json.Unmarshal(proof.Request, &first); err != nil {
		return w, err
	}
	if w.Username == "" {
		w.Username = first.Username
	}
	if w.DeviceID == "" {
		w.DeviceID = first.DeviceID
	}
	if w.DeviceName == nil {
		w.DeviceName = first.DeviceName
	}
	if w.Reason == "" {
		w.Reason = first.Reason
	}
	if req.InhibitLogin == nil {
		w.InhibitLogin = first.InhibitLogin
	}
	if req.RefreshToken == nil {
		w.RefreshToken = first.RefreshToken
	}
	if w.PasswordHash != "" {
		return w, nil
	}
	if req.Password == "" {
		w.PasswordHash = first.PasswordHash
		if w.PasswordHash == "" {
			return w, errcode.MissingParam.New("%q is missing.", "password").With("param", "password")
		}
		return w, nil
	}
	var err error
	w.PasswordHash, err = s.passwords.Hash(ctx, req.Password)
	return w, err
}

type checkUsernameAvailabilityRequest struct {
	Username string `query:"username,required"`
}

type checkUsernameAvailabilityResponse struct {
	Available bool `json:"available"`
}

func (s *Service) checkUsernameAvailability(ctx context.Context, _ *httpapi.Call, req checkUsernameAvailabilityRequest) (checkUsernameAvailabilityResponse, error) {
	if !s.cfg.Registration.Enabled { // or this would only tell who has an account
		return checkUsernameAvailabilityResponse{}, errcode.Forbidden.New("This server does not allow registration.")
	}
	return checkUsernameAvailabilityResponse{Available: true}, s.checkAvailable(ctx, req.Username)
}
