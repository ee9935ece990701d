// Package sms hands text messages to a gateway: one that takes signed JSON, or one
// with the interface of Twilio.
//
// It owns the tables `sms_outbox` and `sms_sends`, and the jobs "sms.send" and
// "sms.sweep". Like a mail, a message is written into the outbox in the transaction
// that wants it sent ([Service.Queue]), tried once at once ([Service.Deliver]), and
// sent later by the job if that left it. It is never lost once that transaction has
// succeeded, and sent at most once too often.
//
// Messages cost money, and thieves make servers send them to numbers that they earn
// from. So a message goes only to countries that the operator has listed, never to
// numbers that cost more than others, and only within limits for each number, each
// country and all, and below a sum of money, in any 24 hours. What was sent is
// counted in rows, so that a restart forgets nothing.
package sms
