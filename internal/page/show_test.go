package page

import (
	"testing"
	"time"
)

func TestSoftware(t *testing.T) {
	for userAgent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0":                                                           "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0":    "Edge on Windows",
		"Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36":                     "Chrome on Android",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile Safari/604.1": "Safari on iPhone",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15":            "Safari on macOS",
		"Element X/25.11.1 (Google Pixel 9; Android 16; Sdk 1.0)":                                                                          "Element X on Android",
		"curl/8.9.1":           "curl",
		"something\u202e else": "something else",
		"  ":                   "unknown",
	} {
		if got := software(userAgent); got != want {
			t.Errorf("%q is called %q, not %q", userAgent, got, want)
		}
	}
}

func TestWhen(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 30, 0, 0, time.UTC)
	for ago, want := range map[time.Duration]string{
		10 * time.Second: "just now, 00:29 UTC", -10 * time.Second: "just now, 00:30 UTC", 20 * time.Minute: "today, 00:10 UTC",
		time.Hour: "yesterday, 23:30 UTC", 24 * time.Hour: "yesterday, 00:30 UTC", 25 * time.Hour: "27 February 2026, 23:30 UTC",
	} {
		if got := when(now, now.Add(-ago).In(time.FixedZone("", 3600))); got != want {
			t.Errorf("%v ago is %q, not %q", ago, got, want)
		}
	}
	if got := when(now, time.UnixMilli(0)); got != "never" {
		t.Errorf("the beginning of time is %q", got)
	}
}
