// Package visitor knows the browser that a page is answered to: who is signed in
// there, which forms were made for it, and where it may be sent.
//
// It owns the cookies of the pages. Each request of a page begins with
// [Service.Arrive], and ends with [Visitor.Show] or [Visitor.Leave].
//
// It promises that a form counts only in the browser, and in the session, that it was
// made for; that nobody is sent to another server by a path in a query or a form; and
// that a session is given to a browser only after the account was held and compared
// with the one that was proved.
//
// RFC 6265bis for the names of cookies; OWASP ASVS 4.0, 3.3 and 4.2 for sessions and
// forms.
package visitor
