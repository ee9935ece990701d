package push

import (
	"strings"
	"unicode/utf8"
)

// glob is a pattern in which "*" stands for any characters and "?" for one
// (appendices, Glob-style matching). It is compared without regard to case, by
// strings.ToLower: what is matched must have gone through it.
//
// The pieces between the stars must follow each other. Taking each as early as
// possible leaves the most room for the rest, so nothing is ever tried twice.
type glob struct {
	pieces []piece
}

func newGlob(pattern string) glob {
	var g glob
	for text := range strings.SplitSeq(strings.ToLower(pattern), "*") {
		g.pieces = append(g.pieces, newPiece(text))
	}
	return g
}

// matches reports whether the pattern is the whole text.
func (g glob) matches(text string) bool {
	first, last := g.pieces[0], g.pieces[len(g.pieces)-1]
	pos, ok := first.at(text, 0)
	if !ok {
		return false
	}
	if len(g.pieces) == 1 {
		return pos == len(text)
	}
	for _, p := range g.pieces[1 : len(g.pieces)-1] {
		if _, pos, ok = p.find(text, pos); !ok {
			return false
		}
	}
	start, ok := last.before(text)
	return ok && start >= pos
}

// matchesWords reports whether the pattern is a part of the text that starts and
// ends at a word boundary.
func (g glob) matchesWords(text string) bool {
	last := len(g.pieces) - 1
	if last == 0 {
		return g.pieces[0].word(text, 0, true)
	}
	pos := 0
	for i, p := range g.pieces[:last] {
		start, end, ok := p.find(text, pos)
		for i == 0 && ok && !boundary(text, start) {
			start, end, ok = p.find(text, start+step(text, start))
		}
		if !ok {
			return false
		}
		pos = end
	}
	return g.pieces[last].word(text, pos, false)
}

// piece is what stands between two stars: literal texts with one character of any
// kind between each two.
type piece struct {
	literals []string
}

func newPiece(text string) piece { return piece{strings.Split(text, "?")} }

// at reports whether the piece is at pos, and where it ends.
func (p piece) at(text string, pos int) (end int, ok bool) {
	for i, literal := range p.literals {
		if i > 0 {
			if pos >= len(text) {
				return 0, false
			}
			pos += step(text, pos)
		}
		if !strings.HasPrefix(text[pos:], literal) {
			return 0, false
		}
		pos += len(literal)
	}
	return pos, true
}

// find gives the first place of the piece from pos on.
func (p piece) find(text string, pos int) (start, end int, ok bool) {
	for pos <= len(text) {
		i := strings.Index(text[pos:], p.literals[0])
		if i < 0 {
			return 0, 0, false
		}
		start = pos + i
		if end, ok := p.at(text, start); ok {
			return start, end, true
		}
		pos = start + step(text, start)
	}
	return 0, 0, false
}

// before gives the place of the piece at the end of the text.
func (p piece) before(text string) (start int, ok bool) {
	start = len(text)
	for i := len(p.literals) - 1; i >= 0; i-- {
		if !strings.HasSuffix(text[:start], p.literals[i]) {
			return 0, false
		}
		start -= len(p.literals[i])
		if i > 0 {
			if start == 0 {
				return 0, false
			}
			_, size := utf8.DecodeLastRuneInString(text[:start])
			start -= size
		}
	}
	return start, true
}

// word reports whether the piece is somewhere from pos on and ends, and if
// wanted starts, at a word boundary.
func (p piece) word(text string, pos int, starts bool) bool {
	if len(p.literals) == 1 && p.literals[0] == "" && !starts {
		return true // a star at the end reaches the end of the text
	}
	for {
		start, end, ok := p.find(text, pos)
		if !ok {
			return false
		}
		if boundary(text, end) && (!starts || boundary(text, start)) {
			return true
		}
		pos = start + step(text, start)
	}
}

// step is the length of the character at pos, and 1 at the end, so that a search
// goes on.
func step(text string, pos int) int {
	_, size := utf8.DecodeRuneInString(text[pos:])
	return max(size, 1)
}

// boundary reports whether a word may start or end at pos: at the ends of the
// text, and beside any character that is not a letter or digit of ASCII or "_".
func boundary(text string, pos int) bool {
	return pos == 0 || pos == len(text) || !wordByte(text[pos-1]) || !wordByte(text[pos])
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}
