package oauth_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// callOf is a call of a browser.
func callOf() *httpapi.Call {
	return &httpapi.Call{Addr: address("192.0.2.9"), UserAgent: "Browser/1.0"}
}

func address(text string) netip.Addr { return netip.MustParseAddr(text) }

func isCode(err error, code *errcode.Code) bool { return errors.Is(err, code) }

// guesses is how many wrong codes have been counted.
func guesses(t *testing.T, srv *apitest.Server, who string) (wrong int64) {
	t.Helper()
	write(t, srv, func(tx *db.Tx) (err error) {
		wrong, err = db.Value[int64](tx, `SELECT wrong FROM code_guesses WHERE who = $1`, who)
		return err
	})
	return wrong
}
