package page

// Media are the kinds of addresses that a server can send messages to.
type Media struct{ Mail, Phone bool }

// Any reports whether there is one.
func (m Media) Any() bool { return m.Mail || m.Phone }

// Words says what the addresses are: "mail address or phone number", for example.
func (m Media) Words() string {
	switch {
	case m.Mail && m.Phone:
		return "mail address or phone number"
	case m.Phone:
		return "phone number"
	}
	return "mail address"
}

// Label says what to type to sign in.
func (s SignIn) Label() string {
	switch {
	case s.Media.Mail && s.Media.Phone:
		return "Username, mail address or phone number"
	case s.Media.Any():
		return "Username or " + s.Media.Words()
	}
	return "Username"
}
