// Package mail writes mails and hands them to the operator's mail server.
//
// It owns the table `mail_outbox`, the job "mail.send" and the texts in the folder
// templates. A mail is written into the outbox in the transaction that wants it
// sent ([Service.Queue]), so that none is sent for a transaction that failed, and
// none is lost once it has succeeded. Whoever waits for the outcome then asks for
// one try at once ([Service.Deliver]); what that leaves, the job sends later.
//
// A mail leaves the outbox when the mail server has taken it, when it has refused
// it for good, or when it is of no use any more. A process that dies between the
// mail server's answer and its note of it sends the mail once more, under the same
// Message-ID; so does one that never learns the answer. A row is leased while it is
// sent: no two processes send it at the same time.
//
// Nothing that a user chose can end a header line or begin another one: addresses
// are checked, and texts lose their control characters, before they are put into a
// mail. Mails hold no pictures and nothing that tells who has read them.
//
// The protocol is SMTP (RFC 5321) with STARTTLS (RFC 3207) or TLS from the
// beginning (RFC 8314), and AUTH (RFC 4954). Encryption that the configuration
// asks for is never given up.
package mail
