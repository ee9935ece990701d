package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/narthex-matrix/narthex/internal/mail"
)

type mailCommand struct {
	Test      mailTestCommand      `cmd:"" help:"Send a test mail, and show what the mail server says."`
	Templates mailTemplatesCommand `cmd:"" help:"Write the texts of all mails into a folder, to change them."`
}

// testPatience is how long a test of a mail server or gateway takes at most.
const testPatience = time.Minute

type mailTestCommand struct {
	settings
	Address string `arg:"" help:"The mail address to send to."`
}

// Help is shown by --help.
func (mailTestCommand) Help() string {
	return `It reads the configuration and talks to the mail server itself; the server need not run, and nothing is kept.

Example:
  narthex mail test --config /etc/narthex/narthex.yaml you@example.org`
}

// Run sends the mail.
func (c mailTestCommand) Run(ctx context.Context, std streams) error {
	cfg, err := c.loadChecked()
	if err != nil {
		return err
	}
	if cfg.Mail.SMTP.Host == "" {
		return errors.New("no mail server is configured; set mail.from and mail.smtp.host")
	}
	templates, err := mail.LoadTemplates(cfg)
	if err != nil {
		return err
	}
	service := mail.New(mail.Deps{Config: cfg, Templates: templates})
	ctx, cancel := context.WithTimeout(ctx, testPatience)
	defer cancel()
	answer, err := service.Try(ctx, c.Address, time.Now())
	if err != nil {
		return fmt.Errorf("%s (%s): %w", service.Server(), cfg.Mail.SMTP.TLS, err)
	}
	_, err = fmt.Fprintf(std.out, "%s (%s) took the mail to %s and said: %s\n", service.Server(), cfg.Mail.SMTP.TLS, c.Address, printable(answer))
	return err
}

type mailTemplatesCommand struct {
	Folder string `arg:"" type:"path" help:"The folder; it is made if there is none."`
}

// Help is shown by --help.
func (mailTemplatesCommand) Help() string {
	return `Change the files, delete those that you do not change, and set mail.templates to the folder. Files that are
there already are left as they are.

Example:
  narthex mail templates /etc/narthex/mail`
}

// Run writes the files.
func (c mailTemplatesCommand) Run(std streams) error {
	files, err := mail.TemplateFiles()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Folder, 0o755); err != nil {
		return err
	}
	written := 0
	for name, text := range files {
		f, err := os.OpenFile(filepath.Join(c.Folder, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		_, err = f.WriteString(text)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		written++
	}
	_, err = fmt.Fprintf(std.out, "wrote %d files into %s, and left %d as they are\n", written, c.Folder, len(files)-written)
	return err
}
