package adminpages

import (
	"context"
	"net/http"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/secret"
	"github.com/narthex-matrix/narthex/internal/visitor"
	"github.com/narthex-matrix/narthex/internal/web"
)

// actsDone are the sentences about what was just done, by the act.
var actsDone = map[string]string{
	"lock": "The account is locked.", "unlock": "The account is unlocked.",
	"suspend": "The account is suspended.", "unsuspend": "The suspension is ended.",
	"deactivate": "The account is deactivated.", "erase": "The account is erased.",
	"password": "The password is changed, and all sessions are signed out.",
	"promote":  "The account is an administrator’s now.", "demote": "The account is an ordinary one now.",
	"sign_out": "The session is signed out.", "sign_out_all": "All sessions are signed out.",
	"unapprove": "The account waits for approval again.",
}

type askUserActRequest struct {
	UserID   string `query:"id"`
	Act      string `query:"act"`
	DeviceID string `query:"device_id"`
}

// here is the page that asks.
func (r askUserActRequest) here() string {
	return visitor.At(userActPath, "id", r.UserID, "act", r.Act, "device_id", r.DeviceID)
}

func (s *Service) askUserAct(ctx context.Context, call *httpapi.Call, req askUserActRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterSure(ctx, call, req.here())
	if v == nil {
		return reply, err
	}
	return s.ask(ctx, v, http.StatusOK, req, page.Problem{})
}

// ask shows the page that asks, with what is wrong with an earlier answer.
func (s *Service) ask(ctx context.Context, v *visitor.Visitor, status int, req askUserActRequest, wrong page.Problem) (httpapi.Reply, error) {
	p := page.UserAct{UserID: req.UserID, Act: req.Act, MinLength: s.cfg.Login.Password.MinLength, Problem: wrong}
	if !page.IsUserAct(req.Act) {
		return httpapi.Reply{}, errcode.NotFound.New("Nothing like that can be done with an account.")
	}
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		a, err := s.find(tx, req.UserID)
		if err != nil || req.Act != "sign_out" {
			return err
		}
		p.Device, err = s.device(tx, a, req.DeviceID)
		return err
	})
	if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Show(status, p)
}

// device gives one session of an account, or fails with NotFound.
func (s *Service) device(tx *db.Tx, a accounts.Account, deviceID string) (*page.Device, error) {
	sessions, err := s.oauth.Sessions(tx, a.UserID)
	if err != nil {
		return nil, err
	}
	for _, session := range sessions {
		if string(session.DeviceID) == deviceID {
			shown := web.ShownDevice(session.Device, session.Client)
			return &shown, nil
		}
	}
	return nil, errcode.NotFound.New("The account has no such session. It may have been signed out already.")
}

type doUserActRequest struct {
	Token    string `form:"form_token"`
	UserID   string `form:"id"`
	Act      string `form:"act"`
	DeviceID string `form:"device_id"`
	Password string `form:"password"`
	Erase    string `form:"erase"`
}

func (s *Service) doUserAct(ctx context.Context, call *httpapi.Call, req doUserActRequest) (httpapi.Reply, error) {
	question := askUserActRequest{req.UserID, req.Act, req.DeviceID}
	v, reply, err := s.enterSure(ctx, call, question.here())
	if v == nil {
		return reply, err
	}
	if !v.Owns(req.Token) {
		return v.Stale(question.here())
	}
	userID, err := id.ParseUserID(req.UserID)
	if err != nil || !page.IsUserAct(req.Act) {
		return s.ask(ctx, v, http.StatusBadRequest, question, page.Problem{})
	}
	made := ""
	if req.Act == "password" && req.Password == "" {
		made = s.newPassword()
		req.Password = made
	}
	if err := s.act(ctx, v.UserID(), userID, req); err != nil {
		field := ""
		if visitor.FieldOf(err) == "password" {
			field = "password"
		}
		wrong, status, err := visitor.Problem(err, field)
		if err != nil {
			return httpapi.Reply{}, err
		}
		return s.ask(ctx, v, status, question, wrong)
	}
	if made != "" {
		return v.Show(http.StatusOK, page.PasswordGiven{UserID: string(userID), Password: made})
	}
	return v.Leave(visitor.At(userPath, "id", string(userID), "done", req.Act))
}

// act does what the form asks for.
func (s *Service) act(ctx context.Context, by, userID id.UserID, req doUserActRequest) error {
	switch req.Act {
	case "lock", "unlock":
		return s.admin.Lock(ctx, by, userID, req.Act == "lock")
	case "suspend", "unsuspend":
		return s.admin.Suspend(ctx, by, userID, req.Act == "suspend")
	case "deactivate", "erase":
		return s.admin.Deactivate(ctx, by, userID, req.Act == "erase" || req.Erase == "yes")
	case "password":
		return s.admin.SetPassword(ctx, by, userID, req.Password, true)
	case "promote", "demote":
		return s.admin.SetAdmin(ctx, by, userID, req.Act == "promote")
	case "sign_out":
		return s.admin.SignOut(ctx, by, userID, id.DeviceID(req.DeviceID))
	case "sign_out_all":
		return s.admin.SignOutAll(ctx, by, userID, s.oauth.SignOutBrowsers)
	}
	return s.admin.Unapprove(ctx, by, userID, true)
}

const (
	passwordLength   = 20
	passwordAlphabet = "abcdefghijkmnpqrstuvwxyz23456789" // without those that look alike
)

// newPassword makes a password that can be read out.
func (s *Service) newPassword() string {
	return secret.Letters(max(passwordLength, s.cfg.Login.Password.MinLength), passwordAlphabet)
}
