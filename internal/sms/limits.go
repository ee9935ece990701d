package sms

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
)

// day is the time that the limits are about: the last 24 hours, so that nobody can
// have twice as much around midnight.
const day = 24 * time.Hour

// A LimitError says that one of sms.limits was reached. It is an [ErrLimit].
type LimitError struct {
	Limit string        // the key, such as sms.limits.per_number
	After time.Duration // when another try may succeed
}

// Error says which limit it is.
func (e *LimitError) Error() string { return "the limit " + e.Limit + " is reached" }

// Is reports whether target is ErrLimit.
func (e *LimitError) Is(target error) bool { return target == ErrLimit }

// destination gives the country of a number that messages may be sent to.
func (s *Service) destination(number string) (country string, err error) {
	if number == "" || len(number) > 15 || strings.ContainsFunc(number, func(r rune) bool { return r < '0' || r > '9' }) {
		return "", ErrDestination
	}
	parsed, err := phonenumbers.Parse("+"+number, "")
	if err != nil || phonenumbers.Format(parsed, phonenumbers.E164) != "+"+number {
		return "", ErrDestination
	}
	country = phonenumbers.GetRegionCodeForNumber(parsed)
	if country == "" || !slices.Contains(s.cfg.Countries, country) {
		return "", ErrDestination
	}
	switch phonenumbers.GetNumberType(parsed) {
	case phonenumbers.MOBILE, phonenumbers.FIXED_LINE_OR_MOBILE, phonenumbers.PERSONAL_NUMBER:
		return country, nil
	}
	return "", ErrDestination // among others premium-rate and shared-cost numbers
}

// Allowed reports whether a message may be sent to the number (E.164 without the
// plus sign) now: nil, [ErrDestination], or a [LimitError]. It counts nothing.
func (s *Service) Allowed(tx *db.Tx, number string) error {
	if s.printing() {
		return nil
	}
	country, err := s.destination(number)
	if err != nil {
		return err
	}
	return s.within(tx, number, country, price(s.cfg, country, 1))
}

// count counts a message that is allowed, or says why it is not. One transaction at
// a time does so, so that no two take the last place.
func (s *Service) count(tx *db.Tx, p parcel) error {
	country, err := s.destination(p.number)
	if err != nil {
		return err
	}
	if err := tx.Lock("sms", ""); err != nil {
		return err
	}
	cost := price(s.cfg, country, segments(p.body))
	if err := s.within(tx, p.number, country, cost); err != nil {
		return err
	}
	return tx.Later(`INSERT INTO sms_sends (sms_id, number, country, price, sent_ts) VALUES ($1, $2, $3, $4, $5)`,
		p.id, p.number, country, cost, tx.Now.UnixMilli())
}

// used is what the last day holds of something.
type used struct {
	count, cost, first int64
}

// within holds one more message of the given price against the limits.
func (s *Service) within(tx *db.Tx, number, country string, cost int64) error {
	since := tx.Now.Add(-day).UnixMilli()
	scan := func(r db.Row) (u used, err error) {
		err = r.Scan(&u.count, &u.cost, &u.first)
		return u, err
	}
	const sums = `SELECT COUNT(*), COALESCE(SUM(price), 0), COALESCE(MIN(sent_ts), 0) FROM sms_sends WHERE sent_ts > $1`
	ofNumber, err := db.One(tx, scan, sums+` AND number = $2`, since, number)
	if err != nil {
		return err
	}
	ofCountry, err := db.One(tx, scan, sums+` AND country = $2`, since, country)
	if err != nil {
		return err
	}
	all, err := db.One(tx, scan, sums, since)
	if err != nil {
		return err
	}
	for _, limit := range []struct {
		key     string
		reached bool
		by      used
	}{
		{"sms.limits.per_number", ofNumber.count >= int64(s.cfg.Limits.PerNumber), ofNumber},
		{"sms.limits.per_country", ofCountry.count >= int64(s.cfg.Limits.PerCountry), ofCountry},
		{"sms.limits.per_day", all.count >= int64(s.cfg.Limits.PerDay), all},
		{"sms.limits.spend", s.cfg.Limits.Spend == 0 || all.cost+cost > millionths(s.cfg.Limits.Spend), all},
	} {
		if !limit.reached {
			continue
		}
		if limit.key != "sms.limits.per_number" { // the operator's limits, and not one person's
			s.log.Warn("a text message was not sent, because a limit is reached", "limit", limit.key, "country", country)
		}
		e := &LimitError{Limit: limit.key, After: day}
		if limit.by.count > 0 { // until the oldest does not count any more
			e.After = max(time.Second, time.UnixMilli(limit.by.first).Add(day).Sub(tx.Now))
		}
		return e
	}
	return nil
}

// price is what a message of so many parts costs, in millionths.
func price(cfg config.SMS, country string, parts int) int64 {
	return millionths(cfg.PriceOf(country)) * int64(parts)
}

func millionths(amount float64) int64 { return int64(math.Round(amount * 1e6)) }

// sweep forgets what does not count any more.
func sweep(tx *db.Tx) error {
	return tx.Later(`DELETE FROM sms_sends WHERE sent_ts <= $1`, tx.Now.Add(-day).UnixMilli())
}

// plain is a text without characters that nobody sees, lines and spaces apart.
func plain(text string) (string, error) {
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r != '\n' && (unicode.Is(unicode.C, r) || r == utf8.RuneError) {
			return -1
		}
		return r
	}, text))
	if n := utf8.RuneCountInString(text); n == 0 || n > 600 {
		return "", fmt.Errorf("%w, not %d", ErrText, n)
	}
	return text, nil
}

// segments is how many messages a text is charged as: in the basic alphabet
// (3GPP TS 23.038) one takes 160 characters, and each of several 153; in any other
// one 70 and 67. It counts some texts as longer than they are, and none as shorter.
func segments(text string) int {
	single, part, units := 160, 153, 0
	for _, r := range text {
		switch {
		case r >= utf8.RuneSelf || r == '`':
			single, part = 70, 67
			units++
			if r > 0xFFFF {
				units++
			}
		case strings.ContainsRune(`^{}\[~]|`, r): // behind an escape
			units += 2
		default:
			units++
		}
	}
	if units <= single {
		return 1
	}
	return (units + part - 1) / part
}
