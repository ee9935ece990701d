package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// every byte, as a code holds a key in them.
func everyByte() []byte {
	code := []byte("MATRIX\x02\x03")
	for b := range 256 {
		code = append(code, byte(b))
	}
	return code
}

func TestPictures(t *testing.T) {
	hidden, err := hex.DecodeString("4d41545249580200000000000000000000000000000000000000000000000000000000000000000000000000000004000000000000000000000000000000010800000000000000bd04125e0500066302")
	if err != nil {
		t.Fatal(err)
	}
	// The second is one whose corners the search does not find.
	codes := [][]byte{everyByte(), hidden}
	for n := range 20 { // keys as good as random
		key := sha256.Sum256([]byte{byte(n)})
		code := append([]byte("MATRIX\x02\x03"), key[:]...)
		codes = append(codes, append(code, "\x00\x2ahttps://matrix.example.org/rendezvous/abcde"...))
	}
	file := filepath.Join(t.TempDir(), "code.png")
	for _, code := range codes {
		drawn, err := drawCode(code)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, drawn.PNG(), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := readPicture(file); err != nil || !bytes.Equal(got, code) {
			t.Errorf("got %x %v, want %x", got, err, code)
		}
	}
}

func TestReadPictureRefuses(t *testing.T) {
	folder := t.TempDir()
	var white bytes.Buffer
	if err := png.Encode(&white, image.NewGray(image.Rect(0, 0, 200, 200))); err != nil {
		t.Fatal(err)
	}
	huge := append([]byte(nil), white.Bytes()...)
	copy(huge[16:], "\x00\x01\x00\x00\x00\x01\x00\x00") // width and height
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"no code":       {white.Bytes(), "no QR code in the picture"},
		"half a file":   {white.Bytes()[:len(white.Bytes())-30], "cannot be read"},
		"no picture":    {[]byte("hello"), "no PNG or JPEG"},
		"a large claim": {huge, ""},
	} {
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, c.content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readPicture(file); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	if _, err := readPicture(filepath.Join(folder, "nothing")); err == nil {
		t.Error("a file that is not there was read")
	}
}

// The drawing for a terminal is the code, upright and with its border.
func TestBlocks(t *testing.T) {
	drawn, err := drawCode(everyByte())
	if err != nil {
		t.Fatal(err)
	}
	for _, colours := range []bool{false, true} {
		text := blocks(drawn, colours)
		text = strings.ReplaceAll(strings.ReplaceAll(text, "\x1b[30;47m", ""), "\x1b[0m", "")
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		if want := (drawn.Size + 2*quietZone + 1) / 2; len(lines) != want || utf8.RuneCountInString(lines[0]) != drawn.Size+2*quietZone {
			t.Fatalf("%d lines of %d, want %d", len(lines), utf8.RuneCountInString(lines[0]), want)
		}
		for y := range drawn.Size {
			row := []rune(lines[(y+quietZone)/2])
			for x := range drawn.Size {
				ink := map[rune][2]bool{'█': {true, true}, '▀': {true, false}, '▄': {false, true}, ' ': {}}[row[x+quietZone]][(y+quietZone)%2]
				if ink != (drawn.Black(x, y) == colours) {
					t.Fatalf("colours %t: module %d, %d is drawn wrongly", colours, x, y)
				}
			}
		}
	}
}
