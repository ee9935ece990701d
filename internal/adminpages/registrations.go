package adminpages

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/validation"
	"github.com/narthex-matrix/narthex/internal/visitor"
)

// atOnce is how many accounts one page of a list has.
const atOnce = 50

type showRegistrationsRequest struct {
	Search string `query:"q"`
	From   string `query:"from"`
	Done   string `query:"done"`
	Number int64  `query:"number"`
}

func (s *Service) showRegistrations(ctx context.Context, call *httpapi.Call, req showRegistrationsRequest) (httpapi.Reply, error) {
	v, reply, err := s.enter(ctx, call, visitor.At(registrationsPath, "q", req.Search, "from", req.From))
	if v == nil {
		return reply, err
	}
	p := page.Registrations{Search: req.Search, From: req.From, Done: decided(req.Done, req.Number)}
	return s.showQueue(ctx, v, http.StatusOK, p)
}

// decided says what was just done, by the word in the address.
func decided(word string, number int64) string {
	what := map[string]string{"approved": "approved", "refused": "refused"}[word]
	switch {
	case what == "" || number < 1:
		return ""
	case number == 1:
		return "1 account is " + what + "."
	}
	return fmt.Sprintf("%d accounts are %s.", number, what)
}

// showQueue shows the accounts that wait, from p.From on.
func (s *Service) showQueue(ctx context.Context, v *visitor.Visitor, status int, p page.Registrations) (httpapi.Reply, error) {
	p.Unused = !s.accounts.ApprovalRequired()
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		rows, total, next, err := s.accounts.SearchRegistrations(tx, p.Search, []string{accounts.StatePending}, p.From, atOnce)
		if errors.Is(err, errcode.InvalidParam) { // a place that is not one of this list
			p.From = ""
			rows, total, next, err = s.accounts.SearchRegistrations(tx, p.Search, []string{accounts.StatePending}, "", atOnce)
		}
		if err != nil {
			return err
		}
		p.Total, p.Next = total, next
		p.Applicants, err = s.applicants(tx, rows)
		return err
	})
	if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Show(status, p)
}

// applicants gives registrations as the pages show them, with one statement for the
// names of all and one for their addresses.
func (s *Service) applicants(tx *db.Tx, rows []accounts.Registration) ([]page.Applicant, error) {
	users := make([]id.UserID, len(rows))
	for i, row := range rows {
		users[i] = row.UserID
	}
	profiles, err := s.accounts.Profiles(tx, users)
	if err != nil {
		return nil, err
	}
	addresses, err := s.accounts.AddressesOf(tx, users)
	out := make([]page.Applicant, len(rows))
	for i, row := range rows {
		out[i] = shownApplicant(row.UserID, row.Signup)
		out[i].Made, out[i].Addresses = row.Created, shownAddresses(addresses[row.UserID])
		if name := profiles[row.UserID].DisplayName; name != nil {
			out[i].Name = *name
		}
	}
	return out, err
}

func shownApplicant(userID id.UserID, from accounts.Signup) page.Applicant {
	return page.Applicant{UserID: string(userID), Reason: from.Reason, IP: from.IP, UserAgent: from.UserAgent, Token: from.Token, Provider: from.Provider}
}

func shownAddresses(threepids []accounts.Threepid) []string {
	out := make([]string, len(threepids))
	for i, t := range threepids {
		out[i] = t.Address
		if t.Medium == validation.Phone {
			out[i] = "+" + t.Address
		}
	}
	return out
}

type decideRequest struct {
	Token    string   `form:"form_token"`
	Users    []string `form:"user"`
	Note     string   `form:"note"`
	Decision string   `form:"decision"`
	Sure     string   `form:"sure"`
	Search   string   `form:"q"`
	From     string   `form:"from"`
}

// decide approves or refuses the chosen accounts, each on its own: whoever was
// decided on meanwhile, or is not there, is left out and named.
func (s *Service) decide(ctx context.Context, call *httpapi.Call, req decideRequest) (httpapi.Reply, error) {
	v, reply, err := s.enter(ctx, call, registrationsPath)
	if v == nil {
		return reply, err
	}
	if !v.Owns(req.Token) {
		return v.Stale(registrationsPath)
	}
	p := page.Registrations{Search: req.Search, From: req.From, Note: req.Note, Chosen: map[string]bool{}}
	for _, user := range req.Users {
		p.Chosen[user] = true
	}
	chosen, known := s.chosenUsers(req.Users)
	switch {
	case len(req.Users) == 0:
		p.Problem = page.Problem{Text: "Nothing was changed: choose at least one account."}
		return s.showQueue(ctx, v, http.StatusBadRequest, p)
	case !known || (req.Decision != "approve" && req.Decision != "refuse"):
		p.Problem = page.Problem{Text: "Nothing was changed: the form was not complete. Please choose again."}
		return s.showQueue(ctx, v, http.StatusBadRequest, p)
	case req.Decision == "refuse" && req.Sure != "yes":
		return s.askRefusal(ctx, v, chosen, p)
	}
	done, err := s.decideAll(ctx, v.UserID(), chosen, req)
	if err != nil {
		field := ""
		if visitor.FieldOf(err) != "" { // of what can be wrong, only the note is a field
			field = "note"
		}
		wrong, status, err := visitor.Problem(err, field)
		if err != nil {
			return httpapi.Reply{}, err
		}
		p.Problem, p.Done = wrong, decided(req.Decision+"d", done) // "approved", "refused"
		return s.showQueue(ctx, v, status, p)
	}
	return v.Leave(visitor.At(registrationsPath, "q", req.Search, "done", req.Decision+"d", "number", fmt.Sprint(done)))
}

// chosenUsers reads the boxes that were ticked, each account once.
func (s *Service) chosenUsers(texts []string) (users []id.UserID, ok bool) {
	for _, text := range texts {
		userID, err := id.ParseUserID(text)
		if err != nil || string(userID.ServerName()) != s.cfg.ServerName {
			return nil, false
		}
		if !slices.Contains(users, userID) {
			users = append(users, userID)
		}
	}
	return users, len(users) <= maxChosen
}

// maxChosen is how many accounts one form can be about: all that a page shows.
const maxChosen = atOnce

// decideAll decides on each account in its own transaction, so that one that cannot
// be decided on keeps nobody else waiting. It counts those that were decided on,
// and fails with what was wrong with the first of the others.
func (s *Service) decideAll(ctx context.Context, by id.UserID, users []id.UserID, req decideRequest) (done int64, wrong error) {
	for _, userID := range users {
		var err error
		if req.Decision == "approve" {
			err = s.admin.Approve(ctx, by, userID, req.Note)
		} else {
			err = s.admin.Deny(ctx, by, userID, req.Note, false)
		}
		refused, ok := visitor.Refusal(err)
		switch {
		case err == nil:
			done++
		case !ok:
			return done, err
		case wrong == nil && visitor.FieldOf(err) == "":
			wrong = refused.Code.New("%s: %s", userID, refused.Text)
		case wrong == nil:
			wrong = err
		}
	}
	return done, wrong
}

// askRefusal asks whether to refuse those of the accounts that still wait.
func (s *Service) askRefusal(ctx context.Context, v *visitor.Visitor, users []id.UserID, p page.Registrations) (httpapi.Reply, error) {
	ask := page.Refusal{Note: p.Note}
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		rows, err := s.accounts.WaitingAmong(tx, users)
		if err != nil {
			return err
		}
		ask.Applicants, err = s.applicants(tx, rows)
		return err
	})
	if err != nil {
		return httpapi.Reply{}, err
	}
	if len(ask.Applicants) == 0 {
		p.Problem = page.Problem{Text: "Nothing was changed: none of the accounts waits any more."}
		return s.showQueue(ctx, v, http.StatusConflict, p)
	}
	return v.Show(http.StatusOK, ask)
}
