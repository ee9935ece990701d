package sms_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/dbtest"
	"github.com/narthex-matrix/narthex/internal/sms"
)

func (p post) allowed(t *testing.T, number string) (err error) {
	t.Helper()
	readErr := p.store.DB.Read(t.Context(), func(tx *db.Tx) error {
		err = p.Allowed(tx, number)
		return nil
	})
	if readErr != nil {
		t.Fatal(readErr)
	}
	return err
}

// TestTP47Destinations holds that the list of countries is the only way to be sent
// anything.
func TestTP47Destinations(t *testing.T) {
	g := startGateway(t)
	p := open(t, dbtest.Open(t), webhook(g))
	none := open(t, p.store, webhook(g), func(c *config.Config) { c.SMS.Countries = nil })
	is(t, none.allowed(t, german), sms.ErrDestination)
	for number, want := range map[string]error{
		german: nil, english: nil,
		french:           sms.ErrDestination, // not listed
		premium:          sms.ErrDestination,
		"4930123456":     sms.ErrDestination, // a fixed line
		"8816512345678":  sms.ErrDestination, // a satellite
		"12025550123":    sms.ErrDestination,
		"":               sms.ErrDestination,
		"+" + german:     sms.ErrDestination,
		"0" + german[2:]: sms.ErrDestination,
		"49151":          sms.ErrDestination,
		"49 151 1234567": sms.ErrDestination,
		german + "\r\n":  sms.ErrDestination,
		german + "999999999999999999999999999999": sms.ErrDestination,
		"٤٩١٥١١٢٣٤٥٦٧٨":                           sms.ErrDestination,
	} {
		is(t, p.allowed(t, number), want)
		_, err := p.queue(t, number)
		is(t, err, want)
	}
	p.expect(t, g, 0, 2)
}

// TestTP48Limits holds each limit, that it outlasts a restart, and that it ends.
func TestTP48Limits(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(*config.SMS)
		numbers []string // the last one is refused
		limit   string
	}{
		"number":  {func(s *config.SMS) { s.Limits.PerNumber = 2 }, []string{german, german2, german, german}, "sms.limits.per_number"},
		"country": {func(s *config.SMS) { s.Limits.PerCountry = 2 }, []string{german, english, german2, german2}, "sms.limits.per_country"},
		"day":     {func(s *config.SMS) { s.Limits.PerDay = 3 }, []string{german, english, german2, english}, "sms.limits.per_day"},
		"spend": {func(s *config.SMS) { s.Limits.Spend, s.Price, s.Prices = 1, 0.5, []string{"DE=0.1"} },
			[]string{german, german2, english, german, german, german2, english}, "sms.limits.spend"},
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t)
			change := func(c *config.Config) { test.change(&c.SMS) }
			p := open(t, dbtest.Open(t), webhook(g), change)
			last := len(test.numbers) - 1
			for _, number := range test.numbers[:last] {
				is(t, p.send(t, number), nil)
			}
			p = open(t, p.store, webhook(g), change) // a restart forgets nothing
			_, err := p.queue(t, test.numbers[last])
			var limit *sms.LimitError
			if !errors.As(err, &limit) || limit.Limit != test.limit || limit.After <= 23*time.Hour || limit.After > 24*time.Hour || !errors.Is(err, sms.ErrLimit) {
				t.Fatalf("got %v %+v, want %s", err, limit, test.limit)
			}
			is(t, p.allowed(t, test.numbers[last]), sms.ErrLimit)
			p.expect(t, g, last, 0)
			if told := strings.Contains(p.store.Log.String(), test.limit); told != (name != "number") {
				t.Errorf("the operator was told: %v", told)
			}

			p.store.Advance(limit.After + time.Minute)
			is(t, p.allowed(t, test.numbers[last]), nil)
			p.work(t) // sweeps
			is(t, p.send(t, test.numbers[last]), nil)
		})
	}
}

func TestNothingIsSpentWithoutABudget(t *testing.T) {
	g := startGateway(t)
	p := open(t, dbtest.Open(t), webhook(g), func(c *config.Config) { c.SMS.Limits.Spend, c.SMS.Price = 0, 0 })
	is(t, p.send(t, german), sms.ErrLimit)
	p.expect(t, g, 0, 0)
}

// TestTheLastPlaceIsTakenByOneAtOnce asks for more at once than the limit allows.
func TestTheLastPlaceIsTakenByOneAtOnce(t *testing.T) {
	g := startGateway(t)
	p := open(t, dbtest.Open(t), webhook(g), func(c *config.Config) { c.SMS.Limits.PerNumber = 3 })
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			if _, err := p.queue(t, german); err != nil && !errors.Is(err, sms.ErrLimit) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	p.expect(t, g, 0, 3)
}

func TestSegments(t *testing.T) {
	for text, want := range map[string]int{
		"a":                           1,
		strings.Repeat("a", 160):      1,
		strings.Repeat("a", 161):      2,
		strings.Repeat("a", 306):      2,
		strings.Repeat("a", 307):      3,
		strings.Repeat("[", 80):       1,
		strings.Repeat("[", 81):       2,
		strings.Repeat("я", 70):       1,
		strings.Repeat("я", 71):       2,
		strings.Repeat("🙂", 35):       1,
		strings.Repeat("🙂", 36):       2,
		strings.Repeat("a", 70) + "я": 2,
	} {
		if got := sms.Segments(text); got != want {
			t.Errorf("%d characters: got %d, want %d", len([]rune(text)), got, want)
		}
	}
}

func TestTexts(t *testing.T) {
	g := startGateway(t)
	p := open(t, dbtest.Open(t), webhook(g), func(c *config.Config) { c.SMS.Limits.PerNumber = 100 })
	for text, want := range map[string]error{
		"": sms.ErrText, " \n": sms.ErrText, "\u202e\x00": sms.ErrText, strings.Repeat("a", 601): sms.ErrText,
		strings.Repeat("a", 600): nil, "a\u202e\x1bb\nc": nil,
	} {
		err := p.store.DB.Write(t.Context(), func(tx *db.Tx) error {
			_, err := p.Queue(tx, sms.Message{To: german, Text: text})
			return err
		})
		is(t, err, want)
	}
	p.store.Advance(time.Minute)
	p.work(t)
	for _, c := range g.calls() {
		if strings.Contains(c.body, `\u202e`) || strings.Contains(c.body, "\u202e") || strings.Contains(c.body, `\u001b`) {
			t.Errorf("sent %s", c.body)
		}
	}
	p.expect(t, g, 2, 0)
}
