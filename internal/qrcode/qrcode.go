package qrcode

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// QuietZone is the empty border of a code in a terminal, in modules.
const QuietZone = 4

// Draw makes a QR code in binary mode, as MSC4108 wants it: all bytes as they are,
// and error correction of level Q. No code of a sign-in is short and upper-case
// enough for another mode. It fails if there are too many bytes for a code.
func Draw(code []byte) (*qr.Code, error) {
	drawn, err := qr.Encode(string(code), qr.Q)
	if err != nil {
		return nil, fmt.Errorf("the QR code cannot be drawn: %w", err)
	}
	return drawn, nil
}

// Blocks draws a code for a terminal, two modules in each character. With colours
// it is black on white; without them the light modules are drawn, because most
// terminals are dark.
func Blocks(code *qr.Code, colours bool) string {
	var b strings.Builder
	for y := -QuietZone; y < code.Size+QuietZone; y += 2 {
		if colours {
			b.WriteString("\x1b[30;47m")
		}
		for x := -QuietZone; x < code.Size+QuietZone; x++ {
			// Black gives false for what is outside of the code.
			b.WriteRune(block(code.Black(x, y) == colours, code.Black(x, y+1) == colours))
		}
		if colours {
			b.WriteString("\x1b[0m")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func block(upper, lower bool) rune {
	switch {
	case upper && lower:
		return '█'
	case upper:
		return '▀'
	case lower:
		return '▄'
	}
	return ' '
}
