package config

import (
	"strings"
	"testing"
)

func TestNotices(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Config)
		want   string // "": nothing is wrong
	}{
		{"as it comes", func(*Config) {}, ""},
		{"another name", func(c *Config) { c.Notices.Localpart = "the.server" }, ""},
		{"nobody is told", func(c *Config) { c.Approval.NotifyAdmins = []string{} }, ""},
		{"no username", func(c *Config) { c.Notices.Localpart = "" }, "notices.localpart: "},
		{"a guest's username", func(c *Config) { c.Notices.Localpart = "123" }, "notices.localpart: "},
		{"an application service's username", func(c *Config) { c.Notices.Localpart = "_x" }, "notices.localpart: "},
		{"not a username", func(c *Config) { c.Notices.Localpart = "The Server" }, `notices.localpart: "The Server" cannot be a username`},
		{"no name", func(c *Config) { c.Notices.Name = " " }, "notices.name: "},
		{"an unknown way", func(c *Config) { c.Approval.NotifyAdmins = []string{"mail", "fax"} }, `approval.notify_admins: "fax" is not one of mail and notice`},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := Default()
			test.change(&c)
			got := ""
			if err := c.Check(); err != nil {
				got = err.Error()
			}
			if (test.want == "") != (got == "") || !strings.HasPrefix(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
