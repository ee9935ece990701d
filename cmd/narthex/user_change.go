package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/narthex-matrix/narthex/internal/app"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// newPassword is where a password comes from.
type newPassword struct {
	PasswordStdin bool `xor:"password" help:"Read the password from the standard input, up to the end of the line."`
	Generate      bool `xor:"password" help:"Make a password and show it."`
}

// generatedBytes make a password of 20 characters.
const generatedBytes = 15

// take reads or makes the password and hashes it.
func (p newPassword) take(ctx context.Context, std streams, a *app.App) (password, hash string, err error) {
	if password, err = p.read(std); err != nil {
		return "", "", err
	}
	if err := a.Accounts.CheckNewPassword(password); err != nil {
		return "", "", err
	}
	hash, err = a.Passwords.Hash(ctx, password)
	return password, hash, err
}

// say ends a command, with the password if it was made here.
func (p newPassword) say(std streams, password, done string) error {
	if p.Generate {
		done += "\npassword: " + password
	}
	_, err := fmt.Fprintln(std.out, done)
	return err
}

func (p newPassword) read(std streams) (string, error) {
	if p.Generate {
		return secret.String(generatedBytes), nil
	}
	if p.PasswordStdin {
		line, err := bufio.NewReader(std.in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	file, ok := std.in.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return "", errors.New("there is no terminal to ask for a password; use --password-stdin or --generate")
	}
	first, err := ask(std, file, "Password: ")
	if err != nil {
		return "", err
	}
	again, err := ask(std, file, "The same again: ")
	if err == nil && first != again {
		err = errors.New("the two passwords differ")
	}
	return first, err
}

// ask reads a line from the terminal without showing it.
func ask(std streams, terminal *os.File, prompt string) (string, error) {
	fmt.Fprint(std.err, prompt)
	line, err := term.ReadPassword(int(terminal.Fd()))
	fmt.Fprintln(std.err)
	return string(line), err
}

type userPasswordCommand struct {
	settings
	newPassword
	User         string `arg:"" help:"The user: alice, or @alice:example.org."`
	KeepSessions bool   `help:"Do not sign it out."`
}

// Help is shown by --help.
func (userPasswordCommand) Help() string {
	return "Examples:\n  narthex user password alice\n  narthex user password alice --generate --keep-sessions"
}

// Run sets the password.
func (c userPasswordCommand) Run(ctx context.Context, std streams) error {
	a, userID, err := c.account(ctx, std, c.User)
	if err != nil {
		return err
	}
	defer a.Close()
	password, hash, err := c.take(ctx, std, a)
	if err != nil {
		return err
	}
	if err := a.DB.Write(ctx, func(tx *db.Tx) error { return a.Accounts.SetPassword(tx, userID, hash, actor, !c.KeepSessions) }); err != nil {
		return err
	}
	return c.say(std, password, fmt.Sprintf("%s has another password", userID))
}

type userAdminCommand struct {
	settings
	User   string `arg:"" help:"The user: alice, or @alice:example.org."`
	Revoke bool   `help:"Make it an ordinary account."`
}

// Help is shown by --help.
func (userAdminCommand) Help() string {
	return "Examples:\n  narthex user admin alice\n  narthex user admin alice --revoke"
}

// Run grants or revokes.
func (c userAdminCommand) Run(ctx context.Context, std streams) error {
	a, userID, err := c.account(ctx, std, c.User)
	if err != nil {
		return err
	}
	defer a.Close()
	if err := a.DB.Write(ctx, func(tx *db.Tx) error { return a.Accounts.SetAdmin(tx, userID, !c.Revoke, actor) }); err != nil {
		return err
	}
	now := "is a server administrator"
	if c.Revoke {
		now = "is an ordinary account"
	}
	_, err = fmt.Fprintf(std.out, "%s %s\n", userID, now)
	return err
}

type userDeactivateCommand struct {
	settings
	User  string `arg:"" help:"The user: alice, or @alice:example.org."`
	Erase bool   `help:"Remove the profile too, and hide the messages from those who come later."`
	Yes   bool   `help:"Do not ask."`
}

// Help is shown by --help.
func (userDeactivateCommand) Help() string {
	return "The account cannot come back, and its name stays taken.\n\nExample:\n  narthex user deactivate mallory --erase"
}

// Run deactivates.
func (c userDeactivateCommand) Run(ctx context.Context, std streams) error {
	a, userID, err := c.account(ctx, std, c.User)
	if err != nil {
		return err
	}
	defer a.Close()
	if !c.Yes {
		fmt.Fprintf(std.err, "%s cannot come back after this. Type its name to go on: ", userID)
		line, err := bufio.NewReader(std.in).ReadString('\n')
		if typed := strings.TrimSpace(line); err != nil || (typed != string(userID) && typed != userID.Localpart()) {
			return errors.New("nothing was changed")
		}
	}
	if err := a.DB.Write(ctx, func(tx *db.Tx) error { return a.Accounts.Deactivate(tx, userID, actor, c.Erase) }); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "%s is deactivated\n", userID)
	return err
}
