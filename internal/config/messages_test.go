package config

import "testing"

func TestThePortOfAMailServer(t *testing.T) {
	for _, test := range []struct {
		smtp SMTP
		want int
	}{
		{SMTP{TLS: "starttls"}, 587},
		{SMTP{TLS: "implicit"}, 465},
		{SMTP{TLS: "none"}, 25},
		{SMTP{TLS: "implicit", Port: 2525}, 2525},
	} {
		if _, port := test.smtp.Address(); port != test.want {
			t.Errorf("%+v: got %d, want %d", test.smtp, port, test.want)
		}
	}
}

func TestThePriceOfACountry(t *testing.T) {
	s := SMS{Price: 0.5, Prices: []string{"DE=0.08", "US=0"}}
	for country, want := range map[string]float64{"DE": 0.08, "US": 0, "FR": 0.5, "": 0.5} {
		if got := s.PriceOf(country); got != want {
			t.Errorf("%q: got %v, want %v", country, got, want)
		}
	}
}
