package push

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		whole, words  bool
	}{
		// The specification's examples.
		{"lunc?*", "Lunch plans", true, true},
		{"lunc?*", "LUNCH", true, true},
		{"lunc?*", " lunch", false, true},
		{"lunc?*", "lunc", false, false},
		{"ex*ple", "An example event.", false, true},
		{"ex*ple", "exple", true, true},
		{"ex*ple", "An exciting triple-whammy", false, true},
		{"cake*lie", "the cake is a lie", false, true},
		{"cake*lie", "the cake is a lies", false, false},
		// Word boundaries.
		{"cake", "cake", true, true},
		{"cake", "cakes", false, false},
		{"cake", "pancake", false, false},
		{"cake", "a_cake", false, false},
		{"cake", "pancake and cake", false, true},
		{"cake", "CAKE!", false, true},
		{"cake", "Käsecake", false, false},
		{"cake", "süßcake äcake", false, true}, // ä is no letter of ASCII
		{"@room", "hello@room now", false, true},
		{"aa", "aaa aa", false, true},
		{"aa", "aaa", false, false},
		// Stars and question marks.
		{"", "", true, true},
		{"", "x", false, true},
		{"*", "", true, true},
		{"*", "anything\nat all", true, true},
		{"a*", "ba a", false, true},
		{"*a", "ba", true, true},
		{"a**b", "ab", true, true},
		{"a*a", "a", false, false},
		{"ab*ba", "aba", false, false},
		{"*ab*ba*", "xabxba", true, true},
		{"?", "é", true, true},
		{"?", "", false, false},
		{"??", "é", false, false},
		{"a?c", "a💥c", true, true},
		{"*?x", "x", false, false},
		{"*?x", "éx", true, true},
		{"[a]", "a", false, false},
		{"[a]", "[A]", true, true},
		{"STRASSE", "strasse", true, true},
		{"ÄPFEL", "äpfel", true, true},
	} {
		g := newGlob(c.pattern)
		text := strings.ToLower(c.text)
		if got := g.matches(text); got != c.whole {
			t.Errorf("%q is the whole of %q: got %t, want %t", c.pattern, c.text, got, c.whole)
		}
		if got := g.matchesWords(text); got != c.words {
			t.Errorf("%q is in %q: got %t, want %t", c.pattern, c.text, got, c.words)
		}
	}
}

// FuzzGlob holds globs against regular expressions, and matches within a text
// against trying every two boundaries.
func FuzzGlob(f *testing.F) {
	f.Add("lunc?*", "Lunch plans")
	f.Add("ex*ple", "An exciting triple-whammy")
	f.Add("*?x", "éx")
	f.Add("a??*b?*", "aaaabab b")
	f.Add("?a", "aaa a_a")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if !utf8.ValidString(pattern) || !utf8.ValidString(text) || len(text) > 60 || len(pattern) > 30 {
			return // JSON holds valid UTF-8 only
		}
		pattern, text = strings.ToLower(pattern), strings.ToLower(text)
		quoted := strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(pattern))
		whole := regexp.MustCompile(`(?s)\A(?:` + quoted + `)\z`)
		g := newGlob(pattern)
		if got, want := g.matches(text), whole.MatchString(text); got != want {
			t.Errorf("%q is the whole of %q: got %t, want %t", pattern, text, got, want)
		}
		if got, want := g.matchesWords(text), inSomeWords(whole, text); got != want {
			t.Errorf("%q is in %q: got %t, want %t", pattern, text, got, want)
		}
	})
}

func inSomeWords(whole *regexp.Regexp, text string) bool {
	var ends []int
	for i := range len(text) + 1 {
		if (i == len(text) || utf8.RuneStart(text[i])) && boundary(text, i) {
			ends = append(ends, i)
		}
	}
	for i, start := range ends {
		for _, end := range ends[i:] {
			if whole.MatchString(text[start:end]) {
				return true
			}
		}
	}
	return false
}
