package qrcode

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// everyByte has every byte, as a code holds a key in them.
func everyByte() []byte {
	code := []byte("MATRIX\x02\x03")
	for b := range 256 {
		code = append(code, byte(b))
	}
	return code
}

// The drawing for a terminal is the code, upright and with its border.
func TestBlocks(t *testing.T) {
	drawn, err := Draw(everyByte())
	if err != nil {
		t.Fatal(err)
	}
	for _, colours := range []bool{false, true} {
		text := Blocks(drawn, colours)
		if strings.Contains(text, "\x1b") != colours {
			t.Errorf("colours %t: the escapes are not as asked for", colours)
		}
		text = strings.ReplaceAll(strings.ReplaceAll(text, "\x1b[30;47m", ""), "\x1b[0m", "")
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		side := drawn.Size + 2*QuietZone
		if len(lines) != (side+1)/2 || utf8.RuneCountInString(lines[0]) != side {
			t.Fatalf("%d lines of %d, want %d of %d", len(lines), utf8.RuneCountInString(lines[0]), (side+1)/2, side)
		}
		for y := range side {
			row := []rune(lines[y/2])
			for x := range side {
				ink := map[rune][2]bool{'█': {true, true}, '▀': {true, false}, '▄': {false, true}, ' ': {}}[row[x]][y%2]
				if ink != (drawn.Black(x-QuietZone, y-QuietZone) == colours) {
					t.Fatalf("colours %t: module %d, %d is drawn wrongly", colours, x, y)
				}
			}
		}
	}
}

func TestDrawRefuses(t *testing.T) {
	if _, err := Draw(make([]byte, 4000)); err == nil {
		t.Error("more bytes than a code can have were drawn")
	}
}
