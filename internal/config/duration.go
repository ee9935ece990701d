package config

import (
	"errors"
	"strings"
	"time"
)

// A Duration is a time.Duration that is written as 90s, 10m or 24h.
type Duration time.Duration

const (
	minute = Duration(time.Minute)
	hour   = Duration(time.Hour)
)

// String writes d as briefly as it can be read: 24h, not 24h0m0s.
func (d Duration) String() string {
	text := time.Duration(d).String()
	if text == "0s" {
		return "0"
	}
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// MarshalText writes d as String does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a number with its unit (ms, s, m or h), several of these
// in a row, or 0.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return errors.New("a duration is a number with its unit, such as 10m or 24h")
	}
	*d = Duration(parsed)
	return nil
}
