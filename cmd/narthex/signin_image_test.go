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

	"github.com/narthex-matrix/narthex/internal/qrcode"
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
		drawn, err := qrcode.Draw(code)
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
