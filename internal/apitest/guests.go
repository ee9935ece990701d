package apitest

import (
	"testing"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Guest makes a guest with a signed-in device, without going through registration.
func (s *Server) Guest(t testing.TB, localpart string) *Client {
	t.Helper()
	userID, err := id.NewUserID(localpart, ServerName)
	if err != nil {
		t.Fatal(err)
	}
	s.Write(t, func(tx *db.Tx) error {
		return s.App.Accounts.Insert(tx, accounts.Account{UserID: userID, Guest: true})
	})
	return s.Device(t, userID, "DEVICE1")
}

// Suspend suspends an account, as an administrator does.
func (s *Server) Suspend(t testing.TB, c *Client) {
	t.Helper()
	s.Write(t, func(tx *db.Tx) error { return s.App.Accounts.SetSuspended(tx, c.UserID, true, "test") })
}

// Write changes the database behind the server's back.
func (s *Server) Write(t testing.TB, f func(*db.Tx) error) {
	t.Helper()
	if err := s.App.DB.Write(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// Read looks into the database.
func (s *Server) Read(t testing.TB, f func(*db.Tx) error) {
	t.Helper()
	if err := s.App.DB.Read(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}
