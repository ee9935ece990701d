package config

import (
	"slices"
	"strings"
)

// Notices holds the keys notices.*: how the server speaks to its users in rooms.
type Notices struct {
	Localpart string `key:"localpart"` // of the account in whose name it speaks
	Name      string `key:"name"`      // of that account, and of the rooms
	Return    bool   `key:"return"`    // whether those who left their room are invited again
}

func defaultNotices() Notices {
	return Notices{Localpart: "notices", Name: "Server notices", Return: true}
}

// The ways to tell administrators that somebody waits, of approval.notify_admins.
const (
	NotifyByMail   = "mail"
	NotifyByNotice = "notice"
)

// NotifyAdmins reports whether administrators are told by one of the ways.
func (c Config) NotifyAdmins(by string) bool { return slices.Contains(c.Approval.NotifyAdmins, by) }

func (f *findings) notices(c Config) {
	local := c.Notices.Localpart
	if strings.Trim(local, "abcdefghijklmnopqrstuvwxyz0123456789._=-/+") != "" || strings.Trim(local, "0123456789") == "" || local[0] == '_' {
		f.add("notices.localpart", "%q cannot be a username; use small letters, digits, or . _ = - / +", local)
	}
	if strings.TrimSpace(c.Notices.Name) == "" {
		f.add("notices.name", "the server needs a name that people see")
	}
	for _, by := range c.Approval.NotifyAdmins {
		if by != NotifyByMail && by != NotifyByNotice {
			f.add("approval.notify_admins", "%q is not one of %s and %s", by, NotifyByMail, NotifyByNotice)
		}
	}
}
