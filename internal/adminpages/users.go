package adminpages

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/visitor"
	"github.com/narthex-matrix/narthex/internal/web"
)

type showUsersRequest struct {
	Search string `query:"q"`
	Kind   string `query:"kind"`
	From   int64  `query:"from"`
}

// kinds are the accounts that a list can be about, the usual one first.
var kinds = []struct {
	value, name string
	filter      accounts.UserFilter
}{
	{"", "people", accounts.UserFilter{Guest: no, Deactivated: no}},
	{"administrators", "administrators", accounts.UserFilter{Admin: yes, Deactivated: no}},
	{"waiting", "those who wait for approval", accounts.UserFilter{Pending: true, Deactivated: no}},
	{"locked", "locked accounts", accounts.UserFilter{Locked: yes}},
	{"deactivated", "deactivated accounts", accounts.UserFilter{Deactivated: yes}},
	{"guests", "guests", accounts.UserFilter{Guest: yes, Deactivated: no}},
	{"all", "all", accounts.UserFilter{}},
}

var yes, no = new(true), new(false)

func (s *Service) showUsers(ctx context.Context, call *httpapi.Call, req showUsersRequest) (httpapi.Reply, error) {
	from := ""
	if req.From > 0 {
		from = strconv.FormatInt(req.From, 10)
	}
	v, reply, err := s.enter(ctx, call, visitor.At(usersPath, "q", req.Search, "kind", req.Kind, "from", from))
	if v == nil {
		return reply, err
	}
	p := page.Users{Search: req.Search, Kind: req.Kind}
	filter := kinds[0].filter
	for _, k := range kinds {
		p.Kinds = append(p.Kinds, page.Choice{Value: k.value, Name: k.name, Chosen: k.value == req.Kind})
		if k.value == req.Kind {
			filter = k.filter
		}
	}
	filter.Search, filter.From, filter.Limit = req.Search, max(req.From, 0), atOnce
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		found, total, err := s.accounts.Users(tx, filter)
		if err != nil {
			return err
		}
		p.Total = total
		p.People, err = s.people(tx, found)
		return err
	})
	if err != nil {
		return httpapi.Reply{}, err
	}
	p.First, p.Next, p.Before = filter.From+1, -1, -1
	if filter.From > 0 {
		p.Before = max(0, filter.From-atOnce)
	}
	if next := filter.From + int64(len(p.People)); next < p.Total && len(p.People) > 0 {
		p.Next = next
	}
	return v.Show(http.StatusOK, p)
}

// people gives accounts as the pages show them.
func (s *Service) people(tx *db.Tx, found []accounts.Account) ([]page.Person, error) {
	users := make([]id.UserID, len(found))
	for i, a := range found {
		users[i] = a.UserID
	}
	profiles, err := s.accounts.Profiles(tx, users)
	if err != nil {
		return nil, err
	}
	seen, err := s.accounts.LastSeen(tx, users)
	out := make([]page.Person, len(found))
	for i, a := range found {
		out[i] = page.Person{
			UserID: string(a.UserID), Made: a.Created, Seen: seen[a.UserID], Admin: a.Admin, Guest: a.Guest,
			Waiting: a.Pending() && !a.Deactivated, Refused: a.Pending() && a.Deactivated,
			Locked: a.Locked, Suspended: a.Suspended, Deactivated: a.Deactivated, Erased: a.Erased,
		}
		if name := profiles[a.UserID].DisplayName; name != nil {
			out[i].Name = *name
		}
	}
	return out, err
}

type showUserRequest struct {
	UserID string `query:"id"`
	Done   string `query:"done"`
}

// linesOfUser is how many lines of the audit log the page of an account shows.
const linesOfUser = 20

func (s *Service) showUser(ctx context.Context, call *httpapi.Call, req showUserRequest) (httpapi.Reply, error) {
	v, reply, err := s.enter(ctx, call, visitor.At(userPath, "id", req.UserID))
	if v == nil {
		return reply, err
	}
	p := page.User{Own: req.UserID == string(v.UserID()), Done: actsDone[req.Done]}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		a, err := s.find(tx, req.UserID)
		if err != nil {
			return err
		}
		p.Approved = a.Approved != nil && *a.Approved && s.accounts.ApprovalRequired()
		people, err := s.people(tx, []accounts.Account{a})
		if err != nil {
			return err
		}
		p.Person, p.Applicant = people[0], shownApplicant(a.UserID, a.Signup)
		p.Applicant.Made = a.Created
		addresses, err := s.accounts.Threepids(tx, a.UserID)
		if err != nil {
			return err
		}
		p.Applicant.Addresses = shownAddresses(addresses)
		sessions, err := s.oauth.Sessions(tx, a.UserID)
		if err != nil {
			return err
		}
		p.Devices = make([]page.Device, len(sessions))
		for i, session := range sessions {
			p.Devices[i] = web.ShownDevice(session.Device, session.Client)
		}
		lines, err := s.accounts.SearchAuditLog(tx, accounts.AuditFilter{Target: string(a.UserID)}, linesOfUser)
		p.Entries = shownEntries(lines)
		return err
	})
	if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Show(http.StatusOK, p)
}

// find gives the account of a parameter, or fails with NotFound.
func (s *Service) find(tx *db.Tx, text string) (accounts.Account, error) {
	missing := errcode.NotFound.New("This server has no such account.")
	userID, err := id.ParseUserID(text)
	if err != nil {
		return accounts.Account{}, missing
	}
	a, err := s.accounts.Find(tx, userID)
	if errors.Is(err, db.ErrNoRow) {
		return a, missing
	}
	return a, err
}
