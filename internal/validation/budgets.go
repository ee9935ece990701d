package validation

import (
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// Guessing a code of six digits. One code in 10^6 is right, so that n wrong ones in
// sessions that are never validated leave a chance of n / 10^6 that one was right. A
// session takes 5, and within a day
//
//	one phone number, whoever guesses:            20 → 0.2e-4
//	one network, whatever it guesses:             30 → 0.3e-4
//	everybody together, to reset a password:      45 → 0.45e-4
//
// are the most. A day begins with the first wrong code, so any 24 hours have at most
// twice as many: less than 1 in 10,000. That everybody shares a budget lets a few
// attackers stop password resets by phone for a day; it is the price for nobody
// losing an account to many who guess together. Other purposes have no such budget:
// there a guess gains nothing but an address that nobody else uses, and each session
// costs a text message, which are limited for everybody (sms.limits).
//
// A code counts before it is compared, so that many at once gain nothing; and the
// wrong ones of a session that is validated in the end were typing errors, and are
// given back.
const (
	codesOfAddress   = 20
	codesOfNetwork   = 30
	codesOfEverybody = 45
	codeWindow       = 24 * time.Hour
)

// Messages that one address is sent, and that one network has sent. Text messages
// have limits of their own besides, because they cost money.
const (
	sendsOfAddress = 5
	sendsOfNetwork = 20
	sendWindow     = time.Hour
)

// budget is one row of `validation_budgets`.
type budget struct {
	who    string
	most   int64
	window time.Duration
}

func networkBudget(call *httpapi.Call) budget {
	return budget{"codes from " + call.Network().String(), codesOfNetwork, codeWindow}
}

// codeBudgets are what a code for the session counts in. Tokens in mails are too long
// to guess, and count in nothing but their session. The order is the same for all,
// so that no two transactions wait for each other.
func codeBudgets(call *httpapi.Call, v session) []budget {
	if v.medium != Phone {
		return nil
	}
	out := []budget{{"codes for " + v.address, codesOfAddress, codeWindow}, networkBudget(call)}
	if v.purpose == Password {
		out = append(out, budget{"codes for passwords", codesOfEverybody, codeWindow})
	}
	return out
}

// sendBudgets are what a message counts in.
func sendBudgets(call *httpapi.Call, req Request) []budget {
	return []budget{
		{"sends to " + string(req.Medium) + " " + req.Address, sendsOfAddress, sendWindow},
		{"sends from " + call.Network().String(), sendsOfNetwork, sendWindow},
	}
}

// left fails with LimitExceeded if the budget is spent.
func left(tx *db.Tx, b budget) error {
	var until int64
	err := db.Each(tx, func(r db.Row) error { return r.Scan(&until) },
		`SELECT until_ts FROM validation_budgets WHERE who = $1 AND until_ts > $2 AND spent >= $3`, b.who, tx.Now.UnixMilli(), b.most)
	if err != nil || until == 0 {
		return err
	}
	return errcode.TooManyRequests(time.UnixMilli(until).Sub(tx.Now))
}

// spend takes one from each budget. If one is spent it fails with LimitExceeded, and
// the transaction must not be committed.
func spend(tx *db.Tx, budgets []budget) error {
	now := tx.Now.UnixMilli()
	for _, b := range budgets { // three at most
		var spent, until int64
		err := db.Each(tx, func(r db.Row) error { return r.Scan(&spent, &until) }, `INSERT INTO validation_budgets (who, spent, until_ts) VALUES ($1, 1, $3)
			ON CONFLICT (who) DO UPDATE SET
				spent = CASE WHEN validation_budgets.until_ts > $2 THEN validation_budgets.spent + 1 ELSE 1 END,
				until_ts = CASE WHEN validation_budgets.until_ts > $2 THEN validation_budgets.until_ts ELSE excluded.until_ts END
			RETURNING spent, until_ts`, b.who, now, tx.Now.Add(b.window).UnixMilli())
		if err != nil {
			return err
		}
		if spent > b.most {
			return errcode.TooManyRequests(time.UnixMilli(until).Sub(tx.Now))
		}
	}
	return nil
}

// giveBack returns n to each budget.
func giveBack(tx *db.Tx, budgets []budget, n int64) error {
	for _, b := range budgets {
		if err := tx.Later(`UPDATE validation_budgets SET spent = CASE WHEN spent > $2 THEN spent - $2 ELSE 0 END WHERE who = $1`, b.who, n); err != nil {
			return err
		}
	}
	return nil
}
