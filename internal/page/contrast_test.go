package page_test

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// colours reads the named colours of the stylesheet: the light ones, and the dark
// ones that replace them.
func colours(t *testing.T) (light, dark map[string]float64) {
	t.Helper()
	raw, err := os.ReadFile("assets/narthex.css")
	if err != nil {
		t.Fatal(err)
	}
	first, second, ok := strings.Cut(string(raw), "prefers-color-scheme: dark")
	if !ok {
		t.Fatal("no dark colours")
	}
	return named(t, first), named(t, second)
}

var colour = regexp.MustCompile(`(--[a-z-]+): #([0-9a-f]{6});`)

func named(t *testing.T, css string) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	for _, m := range colour.FindAllStringSubmatch(css, -1) {
		n, err := strconv.ParseUint(m[2], 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		out[m[1]] = 0.2126*linear(n>>16) + 0.7152*linear(n>>8&0xff) + 0.0722*linear(n&0xff)
	}
	return out
}

// linear is a part of a colour as light (WCAG 2.2, relative luminance).
func linear(part uint64) float64 {
	c := float64(part) / 255
	if c <= 0.04045 {
		return c / 12.92
	}
	return math.Pow((c+0.055)/1.055, 2.4)
}

// TestContrast holds 4.5 to 1 for text and 3 to 1 for the edges of fields (WCAG 2.2,
// 1.4.3 and 1.4.11), light and dark.
func TestContrast(t *testing.T) {
	light, dark := colours(t)
	if len(light) < 10 || len(light) != len(dark) {
		t.Fatalf("%d colours, %d of them dark", len(light), len(dark))
	}
	for _, pair := range []struct {
		on    string
		least float64
		front []string
	}{
		{"--sheet", 4.5, []string{"--ink", "--soft", "--accent", "--accent-deep", "--bad"}},
		{"--ground", 4.5, []string{"--ink", "--soft", "--accent", "--accent-deep"}},
		{"--accent", 4.5, []string{"--on-accent"}},
		{"--accent-deep", 4.5, []string{"--on-accent"}},
		{"--good-ground", 4.5, []string{"--ink", "--good"}},
		{"--bad-ground", 4.5, []string{"--ink", "--bad"}},
		{"--careful-ground", 4.5, []string{"--ink", "--careful", "--accent"}},
		{"--sheet", 3, []string{"--edge", "--good"}},
		{"--ground", 3, []string{"--edge"}},
	} {
		for _, front := range pair.front {
			for scheme, set := range map[string]map[string]float64{"light": light, "dark": dark} {
				a, b := set[pair.on]+0.05, set[front]+0.05
				if ratio := max(a, b) / min(a, b); ratio < pair.least {
					t.Errorf("%s: %s on %s has a contrast of %.2f, less than %.1f", scheme, front, pair.on, ratio, pair.least)
				}
			}
		}
	}
}
