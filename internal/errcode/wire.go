package errcode

import "strings"

// Mode is how the codes of one proposal go on the wire.
type Mode string

// The modes. Not every proposal has every one.
const (
	Unstable Mode = "unstable"
	Stable   Mode = "stable"
	Off      Mode = "off"  // MSC3848: plain M_FORBIDDEN
	Seed     Mode = "seed" // MSC3866: the first published spelling
)

// Forms says which form each proposal's codes take. The zero value means
// unstable, as the proposals demand while they are not merged.
type Forms struct {
	MSC3848  Mode
	Approval Mode
}

// Wire is a row as it goes on the wire in one mode.
type Wire struct {
	Mode    Mode
	Errcode string
	// Extra is a member that the mode adds to the body.
	Extra []Member
	// Values replaces string values of members, such as approval_notice_medium.
	Values map[string]string
}

func (w Wire) hasValue(v string) bool {
	for _, m := range w.Extra {
		if m.Value == v {
			return true
		}
	}
	return false
}

// msc3848Field is the whole name of the unstable member (RE-2).
const msc3848Field = "org.matrix.msc3848.unstable.errcode"

func msc3848(code string) []Wire {
	return []Wire{
		{Mode: Unstable, Errcode: "M_FORBIDDEN", Extra: []Member{{msc3848Field, "ORG.MATRIX.MSC3848." + code}}},
		{Mode: Stable, Errcode: "M_" + code},
		{Mode: Off, Errcode: "M_FORBIDDEN"},
	}
}

// The media by which someone hears of an approval, in their stable spelling
// (MSC3866). The unstable form is made by the table below.
const (
	NoticeByEmail = "m.email"
	NoNotice      = "m.none"
)

// wire is the one table from (row, mode) to what the client sees (EC-7).
var wire = map[*Code][]Wire{
	NotJoined:         msc3848("NOT_JOINED"),
	AlreadyJoined:     msc3848("ALREADY_JOINED"),
	InsufficientPower: msc3848("INSUFFICIENT_POWER"),
	UserAwaitingApproval: {
		{Mode: Unstable, Errcode: "ORG.MATRIX.MSC3866_USER_AWAITING_APPROVAL", Values: map[string]string{
			NoticeByEmail: "org.matrix.msc3866.email", NoNotice: "org.matrix.msc3866.none"}},
		{Mode: Stable, Errcode: "M_USER_AWAITING_APPROVAL"},
		{Mode: Seed, Errcode: "ORG_MATRIX_MSC3866_USER_AWAITING_APPROVAL"},
	},
	StaleETagUnstable:     {{Mode: Unstable, Errcode: "M_UNKNOWN", Extra: []Member{{"org.matrix.msc4108.errcode", "M_CONCURRENT_WRITE"}}}},
	StaleSequenceUnstable: {{Mode: Unstable, Errcode: "IO_ELEMENT_MSC4388_CONCURRENT_WRITE"}},
}

// WireForms gives the forms of a row in every mode of its proposal; for a row of
// the specification itself, its one form.
func WireForms(c *Code) []Wire {
	if forms, ok := wire[c]; ok {
		return forms
	}
	return []Wire{{Mode: Stable, Errcode: c.Name}}
}

func (f Forms) mode(c *Code) Mode {
	switch c {
	case NotJoined, AlreadyJoined, InsufficientPower:
		return f.MSC3848
	case UserAwaitingApproval:
		return f.Approval
	}
	return Stable
}

// Members gives the body of an error in these forms, in the order in which it is
// written: errcode, error, then the extra members. A row without an errcode has
// only its extra members.
func (f Forms) Members(e *Error) []Member {
	if e.Code.Name == "" && e.Code.OAuth != "" {
		return OAuthMembers(e, "")
	}
	forms := WireForms(e.Code)
	form, mode := forms[0], f.mode(e.Code)
	for _, w := range forms {
		if w.Mode == mode {
			form = w
		}
	}
	body := make([]Member, 0, 2+len(form.Extra)+len(e.Extra))
	if form.Errcode != "" {
		body = append(body, Member{"errcode", form.Errcode}, Member{"error", e.Text})
	}
	body = append(body, form.Extra...)
	for _, m := range e.Extra {
		if s, ok := m.Value.(string); ok && form.Values[s] != "" {
			m.Value = form.Values[s]
		}
		body = append(body, m)
	}
	return body
}

// OAuthMembers gives the body of an error as the OAuth 2.0 endpoints send it. A
// row that has no name there is one of binding: the request is malformed, which
// the endpoint calls by the name given.
func OAuthMembers(e *Error, malformed string) []Member {
	name := e.Code.OAuth
	if name == "" {
		name = malformed
	}
	return []Member{{"error", name}, {"error_description", OAuthText(e.Text)}}
}

// OAuthText leaves of a text what RFC 6749 section 5.2 allows in a description:
// printable ASCII but for quotation marks and backslashes.
func OAuthText(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return '\''
		}
		return r
	}, text)
}
