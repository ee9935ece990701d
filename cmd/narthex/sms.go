package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/narthex-matrix/narthex/internal/sms"
)

type smsCommand struct {
	Test smsTestCommand `cmd:"" help:"Send a test message, and show what the gateway says."`
}

type smsTestCommand struct {
	settings
	Number string `arg:"" help:"The number to send to, with its country: +4915112345678."`
}

// Help is shown by --help.
func (smsTestCommand) Help() string {
	return `It reads the configuration and talks to the gateway itself; the server need not run. The message costs what any
message costs, and does not count against sms.limits.

Example:
  narthex sms test --config /etc/narthex/narthex.yaml +4915112345678`
}

// Run sends the message.
func (c smsTestCommand) Run(ctx context.Context, std streams) error {
	cfg, err := c.loadChecked()
	if err != nil {
		return err
	}
	service := sms.New(sms.Deps{Config: cfg})
	if !service.Configured() {
		return errors.New("no gateway is configured; set sms.webhook.url or sms.twilio.account_sid")
	}
	ctx, cancel := context.WithTimeout(ctx, testPatience)
	defer cancel()
	number := strings.NewReplacer("+", "", " ", "", "-", "").Replace(c.Number)
	answer, err := service.Try(ctx, number, "This is a test message from "+cfg.ServerName+".", time.Now())
	if errors.Is(err, sms.ErrDestination) {
		return fmt.Errorf("%s is not a mobile number in one of the countries of sms.countries (%s)", c.Number, strings.Join(cfg.SMS.Countries, ", "))
	}
	if err != nil {
		return fmt.Errorf("the gateway did not take the message: %w", err)
	}
	_, err = fmt.Fprintf(std.out, "the gateway took the message to +%s and said: %s\n", number, printable(answer))
	return err
}
