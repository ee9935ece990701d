package page

import (
	"strings"
	"time"
	"unicode"
)

// maxShown is how many characters of a text from outside are shown.
const maxShown = 80

// clean makes a text from outside fit to be shown in a line: without characters
// that are invisible or change the direction of others, and cut to a length.
func clean(text string) string { return tidy(text, maxShown) }

// whole is clean for addresses, of which the end matters most, and which are
// bounded where they come in.
func whole(text string) string { return tidy(text, len(text)) }

func tidy(text string, longest int) string {
	var out []rune
	space := false
	for _, r := range text {
		switch {
		case unicode.IsSpace(r):
			space = len(out) > 0
			continue
		case !unicode.IsPrint(r), unicode.In(r, unicode.Cf, unicode.Variation_Selector), isBlank(r):
			continue
		}
		if len(out) >= longest {
			return string(out) + "…"
		}
		if space {
			out, space = append(out, ' '), false
		}
		out = append(out, r)
	}
	return string(out)
}

// isBlank reports letters that look like nothing at all.
func isBlank(r rune) bool { return strings.ContainsRune("\u115f\u1160\u3164\uffa0\u2800\u034f", r) }

// initial is the first letter or digit of a name, to stand for a picture that
// would have to be loaded from somewhere.
func initial(name string) string {
	for _, r := range name {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return string(unicode.ToUpper(r))
		}
	}
	return "?"
}

// when tells a time in UTC, as people say it.
func when(now, t time.Time) string {
	now, t = now.UTC(), t.UTC()
	ago := now.Sub(t)
	clock := t.Format("15:04") + " UTC"
	switch {
	case t.UnixMilli() <= 0:
		return "never"
	case ago < time.Minute && ago > -time.Minute:
		return "just now, " + clock
	case now.Format(time.DateOnly) == t.Format(time.DateOnly):
		return "today, " + clock
	case now.AddDate(0, 0, -1).Format(time.DateOnly) == t.Format(time.DateOnly):
		return "yesterday, " + clock
	}
	return t.Format("2 January 2006, ") + clock
}

// marks are what programs and systems write of themselves, the more telling first:
// nearly all browsers also claim to be Safari, and some to be Chrome.
var (
	programMarks = [][2]string{
		{"Element X/", "Element X"}, {"Element/", "Element"}, {"FluffyChat", "FluffyChat"}, {"Cinny", "Cinny"}, {"narthex", "Narthex"},
		{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"Chromium/", "Chromium"},
		{"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}, {"curl/", "curl"},
	}
	systemMarks = [][2]string{
		{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"}, {"CrOS", "ChromeOS"},
		{"Mac OS", "macOS"}, {"macOS", "macOS"}, {"Linux", "Linux"}, {"X11", "Linux"},
	}
)

// software says in two words what a User-Agent header claims; all of it, cut, where
// it makes no known claim.
func software(userAgent string) string {
	program, system := claimed(userAgent, programMarks), claimed(userAgent, systemMarks)
	switch {
	case program != "" && system != "":
		return program + " on " + system
	case program != "":
		return program
	case strings.TrimSpace(userAgent) == "":
		return "unknown"
	}
	return clean(userAgent)
}

func claimed(userAgent string, marks [][2]string) string {
	for _, m := range marks {
		if strings.Contains(userAgent, m[0]) {
			return m[1]
		}
	}
	return ""
}
