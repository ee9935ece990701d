package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

type approveCommand struct {
	List    approveListCommand    `cmd:"" default:"withargs" help:"List registrations, those that wait first."`
	Approve approveApproveCommand `cmd:"" help:"Let an account sign in."`
	Deny    approveDenyCommand    `cmd:"" help:"Refuse an account."`
}

type approveListCommand struct {
	settings
	State string `default:"pending" help:"States, separated by commas: pending, approved, denied."`
	Limit int    `default:"100" help:"At most so many."`
	JSON  bool   `help:"Write JSON."`
}

// Help is shown by --help.
func (approveListCommand) Help() string {
	return "Examples:\n  narthex approve list\n  narthex approve list --state approved,denied --json"
}

type registrationRow struct {
	UserID    id.UserID `json:"user_id"`
	State     string    `json:"state"`
	Created   time.Time `json:"created"`
	Address   string    `json:"ip"`
	UserAgent string    `json:"user_agent"`
	Token     string    `json:"registration_token,omitempty"`
	Reason    string    `json:"reason,omitempty"` // why the person wants to join
}

// Run lists registrations.
func (c approveListCommand) Run(ctx context.Context, std streams) error {
	a, err := c.open(ctx, std.err)
	if err != nil {
		return err
	}
	defer a.Close()
	rows, total := []registrationRow{}, int64(0)
	err = a.DB.Read(ctx, func(tx *db.Tx) error {
		found, n, _, err := a.Accounts.Registrations(tx, strings.Split(c.State, ","), "", c.Limit)
		for _, r := range found {
			rows = append(rows, newRegistrationRow(r))
		}
		total = n
		return err
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(std, rows)
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintf(std.out, "There are none (%s).\n", c.State)
		return err
	}
	w := tabwriter.NewWriter(std.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "USER\tSTATE\tREGISTERED\tFROM\tCLIENT\tREASON")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.UserID, r.State, r.Created.Format(time.DateTime), r.Address, r.UserAgent, r.Reason)
	}
	if err := w.Flush(); err != nil || int64(len(rows)) == total {
		return err
	}
	_, err = fmt.Fprintf(std.out, "%d of %d; --limit shows more.\n", len(rows), total)
	return err
}

func newRegistrationRow(r accounts.Registration) registrationRow {
	return registrationRow{UserID: r.UserID, State: r.State, Created: r.Created.UTC(), Address: r.Signup.IP,
		UserAgent: printable(r.Signup.UserAgent), Token: r.Signup.Token, Reason: r.Signup.Reason}
}

// printable keeps what a client says about itself from driving the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || (r >= 0x7f && r < 0xa0) {
			return -1
		}
		return r
	}, text)
}

type approveApproveCommand struct {
	settings
	User string `arg:"" help:"The user: alice, or @alice:example.org."`
	Note string `help:"A note to the person, who gets it by mail if they gave an address; it is kept in the audit log."`
}

// Help is shown by --help.
func (approveApproveCommand) Help() string { return "Example:\n  narthex approve approve alice" }

// Run approves.
func (c approveApproveCommand) Run(ctx context.Context, std streams) error {
	a, userID, err := c.account(ctx, std, c.User)
	if err != nil {
		return err
	}
	defer a.Close()
	if err := a.DB.Write(ctx, func(tx *db.Tx) error { return a.Accounts.Approve(tx, userID, actor, c.Note) }); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "%s is approved\n", userID)
	return err
}

type approveDenyCommand struct {
	settings
	User        string `arg:"" help:"The user: alice, or @alice:example.org."`
	Reason      string `help:"A reason for the person, who gets it by mail if they gave an address; it is kept in the audit log."`
	ReleaseName bool   `help:"Remove the account altogether, so that its name is free again."`
}

// Help is shown by --help.
func (approveDenyCommand) Help() string {
	return "Example:\n  narthex approve deny mallory --reason spam"
}

// Run denies.
func (c approveDenyCommand) Run(ctx context.Context, std streams) error {
	a, userID, err := c.account(ctx, std, c.User)
	if err != nil {
		return err
	}
	defer a.Close()
	if err := a.DB.Write(ctx, func(tx *db.Tx) error { return a.Accounts.Deny(tx, userID, actor, c.Reason, c.ReleaseName) }); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "%s is denied\n", userID)
	return err
}
