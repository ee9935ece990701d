package directory

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

const (
	defaultUsers  = 10
	maxUsers      = 100
	maxCandidates = 10_000 // names that one search looks at
)

type searchUserDirectoryRequest struct {
	Term  *string `json:"search_term" required:"true"`
	Limit *int    `json:"limit"`
}

type foundUser struct {
	UserID      id.UserID `json:"user_id"`
	DisplayName *string   `json:"display_name,omitzero"`
	AvatarURL   *string   `json:"avatar_url,omitzero"`

	rank int
}

type searchUserDirectoryResponse struct {
	Results []foundUser `json:"results"`
	Limited bool        `json:"limited"`
}

// searchUserDirectory finds people by user id or name: those with whom the caller
// shares a room, and those in rooms that everybody may join or read.
func (s *Service) searchUserDirectory(ctx context.Context, call *httpapi.Call, req searchUserDirectoryRequest) (out searchUserDirectoryResponse, err error) {
	wanted := defaultUsers
	if req.Limit != nil {
		if *req.Limit < 1 {
			return out, errcode.InvalidParam.New("The parameter %q is not valid: it must be at least 1.", "limit").With("param", "limit")
		}
		wanted = min(*req.Limit, maxUsers)
	}
	words := strings.Fields(strings.ToLower(strings.ReplaceAll(*req.Term, "\x00", "")))
	if len(words) == 0 {
		return out, nil
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		found, err := s.findUsers(tx, call.UserID, words)
		if err != nil {
			return err
		}
		out.Limited = len(found) > wanted
		out.Results = found[:min(wanted, len(found))]
		return nil
	})
	return out, err
}

// findUsers gives the users whose id and name have all the words. Who waits for
// approval or is deactivated is not found.
func (s *Service) findUsers(tx *db.Tx, userID id.UserID, words []string) ([]foundUser, error) {
	candidates, err := rooms.VisibleUsers(tx, userID, likePattern(words[0]), maxCandidates)
	if err != nil {
		return nil, err
	}
	var users []id.UserID
	for _, c := range candidates {
		if matchesWords(c.UserID, c.DisplayName, words) {
			users = append(users, c.UserID)
		}
	}
	slices.Sort(users)
	users = slices.Compact(users)
	known, err := s.accounts.Known(tx, users)
	if err != nil {
		return nil, err
	}
	profiles, err := s.accounts.Profiles(tx, users)
	if err != nil {
		return nil, err
	}
	var found []foundUser
	for _, u := range users {
		if _, exists := known[u]; exists {
			found = append(found, foundUser{u, profiles[u].DisplayName, profiles[u].AvatarURL, rank(u, profiles[u], words[0])})
		}
	}
	slices.SortStableFunc(found, func(a, b foundUser) int { return cmp.Compare(a.rank, b.rank) })
	return found, nil
}

// likePattern finds a word anywhere. The databases fold the case of ASCII letters
// only, so for other words all names are looked at.
func likePattern(word string) string {
	for _, b := range []byte(word) {
		if b >= 0x80 {
			return "%"
		}
	}
	return "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(word) + "%"
}

func matchesWords(userID id.UserID, name string, words []string) bool {
	text := strings.ToLower(string(userID) + " " + name)
	for _, word := range words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// rank puts those first whose id or name is the word, and then those for whom it
// begins with it.
func rank(userID id.UserID, p accounts.Profile, word string) int {
	best := 2
	names := []string{userID.Localpart(), string(userID)}
	if p.DisplayName != nil {
		names = append(names, *p.DisplayName)
	}
	for _, name := range names {
		name = strings.ToLower(name)
		switch {
		case name == word:
			return 0
		case strings.HasPrefix(name, word):
			best = 1
		}
	}
	return best
}
