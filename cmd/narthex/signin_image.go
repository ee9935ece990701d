package main

import (
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // photographs of codes
	_ "image/png"
	"io"
	"os"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// largestPicture bounds the memory that a picture can ask for.
const largestPicture = 50_000_000

// errNoCode says that there is no code in a picture.
var errNoCode = errors.New("there is no QR code in the picture, or it cannot be read")

// readPicture finds the bytes of a QR code in a PNG or JPEG file.
func readPicture(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	about, _, err := image.DecodeConfig(f)
	if err != nil {
		return nil, fmt.Errorf("%s is no PNG or JPEG picture", file)
	}
	if about.Width*about.Height > largestPicture {
		return nil, fmt.Errorf("the picture %s is too large; cut out the code", file)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	picture, _, err := image.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("the picture %s cannot be read: %w", file, err)
	}
	for _, way := range []struct {
		binarizer func(gozxing.LuminanceSource) gozxing.Binarizer
		hint      gozxing.DecodeHintType
	}{
		{gozxing.NewHybridBinarizer, gozxing.DecodeHintType_TRY_HARDER},
		{gozxing.NewGlobalHistgramBinarizer, gozxing.DecodeHintType_TRY_HARDER},
		// One drawn code in a hundred looks to the search as if its corners were
		// elsewhere; a picture of nothing but a code needs no search.
		{gozxing.NewHybridBinarizer, gozxing.DecodeHintType_PURE_BARCODE},
	} {
		bitmap, err := gozxing.NewBinaryBitmap(way.binarizer(gozxing.NewLuminanceSourceFromImage(picture)))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNoCode, err)
		}
		if found, err := qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{way.hint: true}); err == nil {
			return segments(found)
		}
	}
	return nil, errNoCode
}

// segments gives the bytes of a code. The text of the result has been through a
// guess of its encoding.
func segments(found *gozxing.Result) (code []byte, err error) {
	parts, ok := found.GetResultMetadata()[gozxing.ResultMetadataType_BYTE_SEGMENTS].([][]byte)
	if !ok {
		return nil, errNoCode
	}
	for _, part := range parts {
		code = append(code, part...)
	}
	return code, nil
}
