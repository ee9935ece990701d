package page

// ConfirmAddress asks the person who followed a link in a mail to press a button,
// since programs that look for harm in mails follow links, too. Its form goes by
// POST to the address of the page.
type ConfirmAddress struct {
	Action string // the path of the page, without its query
	// The parameters of the link.
	SID, ClientSecret, Token string
}

func (ConfirmAddress) template() string { return "confirm_address" }

// Title is the heading.
func (ConfirmAddress) Title() string { return "Choose a new password?" }

// AddressConfirmed says that an address is shown to be the person's.
type AddressConfirmed struct {
	// Password says that a new password is to be chosen now.
	Password bool
	// Next is where to go from here, as the application wants it; empty for back to
	// where the person came from. Its host is one that the configuration names.
	Next string
}

func (AddressConfirmed) template() string { return "address_confirmed" }

// Title is the heading.
func (AddressConfirmed) Title() string { return "Your address is confirmed" }
