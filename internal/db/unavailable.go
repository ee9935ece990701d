package db

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Errors of [DB.Read] and [DB.Write] that say nothing about what was asked: the
// database can do its work again when its disk or its server can.
var (
	// ErrFull is returned when there is no room for what would be written.
	ErrFull = errors.New("db: the disk of the database is full")
	// ErrUnavailable is returned when the database cannot be reached, may not be
	// written, or its disk fails. When it is PostgreSQL, the write may have been
	// done: nobody was told.
	ErrUnavailable = errors.New("db: the database cannot be reached or not be written")
)

// The states of PostgreSQL, and the classes of them, in which it cannot do its work.
const diskFull = "53100"

var unavailableStates = []string{
	"08",             // connection exceptions
	"25006",          // read-only transaction: a standby, or a server set so
	"25P03",          // this process stood still within a transaction, and its session was ended
	"53",             // insufficient resources
	"55000",          // the database accepts no connections
	lockNotAvailable, // another session held a lock for too long
	"57P",            // the server stops or starts
	"58",             // errors of the machine, such as of its disk
}

// unavailable marks an error that stands for ErrFull or ErrUnavailable, and leaves any
// other as it is.
func unavailable(err error) error {
	if err == nil {
		return nil
	}
	reason := reasonOf(err)
	if reason == nil {
		return err
	}
	return fmt.Errorf("%w: %w", reason, err)
}

func reasonOf(err error) error {
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		switch lite.Code() & 0xff { // the rest tells kinds of the same apart
		case sqlite3.SQLITE_FULL:
			return ErrFull
		case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY:
			return ErrUnavailable
		}
		return nil
	}
	var postgres *pgconn.PgError
	if errors.As(err, &postgres) {
		if postgres.Code == diskFull {
			return ErrFull
		}
		for _, state := range unavailableStates {
			if strings.HasPrefix(postgres.Code, state) {
				return ErrUnavailable
			}
		}
		return nil
	}
	var connecting *pgconn.ConnectError
	var network *net.OpError
	if errors.As(err, &connecting) || errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, driver.ErrBadConn) {
		return ErrUnavailable
	}
	return nil
}
