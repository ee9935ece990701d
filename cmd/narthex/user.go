package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/app"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// actor is who the audit log names for what these commands do.
const actor = "command line"

type userCommand struct {
	Create     userCreateCommand     `cmd:"" help:"Create an account."`
	List       userListCommand       `cmd:"" help:"List accounts."`
	Show       userShowCommand       `cmd:"" help:"Show an account and its devices."`
	Password   userPasswordCommand   `cmd:"" help:"Give an account another password, and sign it out everywhere."`
	Admin      userAdminCommand      `cmd:"" help:"Make an account that of a server administrator, or an ordinary one."`
	Deactivate userDeactivateCommand `cmd:"" help:"End an account for good."`

	ResetFactors userResetFactorsCommand `cmd:"" help:"Remove the second factors of somebody who has lost them."`
}

// account opens the server and makes a user ID of what was typed: the localpart,
// or all of it.
func (s settings) account(ctx context.Context, std streams, name string) (*app.App, id.UserID, error) {
	a, err := s.open(ctx, std.err)
	if err != nil {
		return nil, "", err
	}
	if !strings.HasPrefix(name, "@") {
		name = "@" + name + ":" + a.Config.ServerName
	}
	userID, err := id.ParseUserID(name)
	if err == nil && string(userID.ServerName()) != a.Config.ServerName {
		err = fmt.Errorf("%s is not a user of this server, %s", userID, a.Config.ServerName)
	}
	if err != nil {
		a.Close()
		return nil, "", err
	}
	return a, userID, nil
}

type userCreateCommand struct {
	settings
	newPassword
	Name  string `arg:"" help:"The name, without @ and server."`
	Admin bool   `help:"Make it a server administrator."`
}

// Help is shown by --help.
func (userCreateCommand) Help() string {
	return `It works beside a running server, and needs no approval.

Examples:
  narthex user create --admin root
  narthex user create alice --generate
  narthex user create alice --password-stdin < password.txt`
}

// Run creates the account.
func (c userCreateCommand) Run(ctx context.Context, std streams) error {
	a, err := c.openOrCreate(ctx, std.err)
	if err != nil {
		return err
	}
	defer a.Close()
	userID, err := a.Accounts.NewUserID(strings.TrimSuffix(strings.TrimPrefix(c.Name, "@"), ":"+a.Config.ServerName))
	if err != nil {
		return err
	}
	password, hash, err := c.take(ctx, std, a)
	if err != nil {
		return err
	}
	err = a.DB.Write(ctx, func(tx *db.Tx) error {
		if err := a.Accounts.Insert(tx, accounts.Account{UserID: userID, PasswordHash: hash, Admin: c.Admin, Approved: a.Accounts.Approval(true)}); err != nil {
			return err
		}
		return a.Accounts.Audit(tx, actor, "create", string(userID), map[string]bool{"admin": c.Admin})
	})
	if errors.Is(err, db.ErrDuplicate) {
		return fmt.Errorf("there is an account %s already", userID)
	}
	if err != nil {
		return err
	}
	return c.say(std, password, fmt.Sprintf("created %s", userID))
}

type userListCommand struct {
	settings
	Name    string `arg:"" optional:"" help:"Only accounts whose name contains this."`
	Admins  bool   `help:"Only server administrators."`
	Pending bool   `help:"Only accounts that wait for approval, or were denied."`
	Limit   int64  `default:"100" help:"At most so many."`
	JSON    bool   `help:"Write JSON."`
}

// Help is shown by --help.
func (userListCommand) Help() string {
	return "Examples:\n  narthex user list\n  narthex user list ali --json"
}

type userRow struct {
	UserID  id.UserID `json:"user_id"`
	Created time.Time `json:"created"`
	State   string    `json:"state"`
	Admin   bool      `json:"admin"`
	Guest   bool      `json:"guest"`
}

func describe(a accounts.Account) userRow {
	row := userRow{UserID: a.UserID, Created: a.Created.UTC(), Admin: a.Admin, Guest: a.Guest}
	switch {
	case a.Deactivated:
		row.State = "deactivated"
	case a.Pending():
		row.State = "pending"
	case a.Locked:
		row.State = "locked"
	case a.Suspended:
		row.State = "suspended"
	default:
		row.State = "active"
	}
	return row
}

// Run lists accounts.
func (c userListCommand) Run(ctx context.Context, std streams) error {
	a, err := c.open(ctx, std.err)
	if err != nil {
		return err
	}
	defer a.Close()
	filter := accounts.UserFilter{Name: c.Name, Pending: c.Pending, Limit: c.Limit}
	if c.Admins {
		filter.Admin = &c.Admins
	}
	var total int64
	rows := []userRow{}
	err = a.DB.Read(ctx, func(tx *db.Tx) error {
		users, n, err := a.Accounts.Users(tx, filter)
		for _, u := range users {
			rows = append(rows, describe(u))
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
	w := tabwriter.NewWriter(std.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "USER\tSTATE\tROLE\tCREATED")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.UserID, r.State, r.role(), r.Created.Format(time.DateTime))
	}
	if err := w.Flush(); err != nil || int64(len(rows)) == total {
		return err
	}
	_, err = fmt.Fprintf(std.out, "%d of %d accounts; --limit shows more.\n", len(rows), total)
	return err
}

func (r userRow) role() string {
	switch {
	case r.Admin:
		return "admin"
	case r.Guest:
		return "guest"
	}
	return "user"
}

type userShowCommand struct {
	settings
	User string `arg:"" help:"The user: alice, or @alice:example.org."`
	JSON bool   `help:"Write JSON."`
}

// Help is shown by --help.
func (userShowCommand) Help() string { return "Example:\n  narthex user show alice" }

type deviceRow struct {
	ID       id.DeviceID `json:"device_id"`
	Name     string      `json:"name"`
	LastSeen time.Time   `json:"last_seen"`
	Address  string      `json:"address"`
}

// Run shows one account.
func (c userShowCommand) Run(ctx context.Context, std streams) error {
	a, userID, err := c.account(ctx, std, c.User)
	if err != nil {
		return err
	}
	defer a.Close()
	var shown struct {
		userRow
		Devices []deviceRow `json:"devices"`
	}
	err = a.DB.Read(ctx, func(tx *db.Tx) error {
		account, err := a.Accounts.Find(tx, userID)
		if errors.Is(err, db.ErrNoRow) {
			return fmt.Errorf("there is no account %s", userID)
		} else if err != nil {
			return err
		}
		shown.userRow = describe(account)
		devices, err := a.Accounts.Devices(tx, userID)
		for _, d := range devices {
			row := deviceRow{ID: d.DeviceID, LastSeen: d.LastSeen.UTC(), Address: d.LastSeenIP}
			if d.DisplayName != nil {
				row.Name = printable(*d.DisplayName)
			}
			shown.Devices = append(shown.Devices, row)
		}
		return err
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(std, shown)
	}
	w := tabwriter.NewWriter(std.out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "user\t%s\nstate\t%s\nrole\t%s\ncreated\t%s\n", shown.UserID, shown.State, shown.role(), shown.Created.Format(time.DateTime))
	for _, d := range shown.Devices {
		fmt.Fprintf(w, "device\t%s\t%s\tlast seen %s\t%s\n", d.ID, d.Name, d.LastSeen.Format(time.DateTime), d.Address)
	}
	return w.Flush()
}
