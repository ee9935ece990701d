package e2ee

import (
	"context"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

// maxAuthData is how many bytes a client may say about a backup.
const maxAuthData = 64 << 10

type postRoomKeysVersionRequest struct {
	Algorithm string         `json:"algorithm" required:"true"`
	AuthData  jsontext.Value `json:"auth_data" required:"true"`
}

type postRoomKeysVersionResponse struct {
	Version string `json:"version"`
}

// postRoomKeysVersion makes a new backup. It is the one to write to from now on;
// those before it stay.
func (s *Service) postRoomKeysVersion(ctx context.Context, call *httpapi.Call, req postRoomKeysVersionRequest) (out postRoomKeysVersionResponse, err error) {
	if len(req.Algorithm) > id.MaxLength {
		return out, errcode.InvalidParam.New("The name of an algorithm has at most %d bytes.", id.MaxLength).With("param", "algorithm")
	}
	if err := checkAuthData(req.AuthData); err != nil {
		return out, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if err := lockBackup(tx, call.UserID); err != nil {
			return err
		}
		version, err := insertBackup(tx, call.UserID, req.Algorithm, req.AuthData)
		out.Version = strconv.FormatInt(version, 10)
		return err
	})
	return out, err
}

// checkAuthData checks no more than that it is an object: what is in it is between
// the devices of the user.
func checkAuthData(raw jsontext.Value) error {
	if raw.Kind() != '{' {
		return errcode.BadJSON.New("%q must be an object.", "auth_data").With("param", "auth_data")
	}
	if len(raw) > maxAuthData {
		return errcode.TooLarge.New("%q may have at most %d bytes.", "auth_data", maxAuthData)
	}
	return nil
}

type getRoomKeysVersionResponse struct {
	Algorithm string         `json:"algorithm"`
	AuthData  jsontext.Value `json:"auth_data"`
	Count     int64          `json:"count"`
	ETag      string         `json:"etag"`
	Version   string         `json:"version"`
}

type getRoomKeysVersionCurrentRequest struct{}

func (s *Service) getRoomKeysVersionCurrent(ctx context.Context, call *httpapi.Call, _ getRoomKeysVersionCurrentRequest) (getRoomKeysVersionResponse, error) {
	return s.describeBackup(ctx, func(tx *db.Tx) (backup, error) { return currentBackup(tx, call.UserID) })
}

type getRoomKeysVersionRequest struct {
	Version string `path:"version"`
}

func (s *Service) getRoomKeysVersion(ctx context.Context, call *httpapi.Call, req getRoomKeysVersionRequest) (getRoomKeysVersionResponse, error) {
	return s.describeBackup(ctx, func(tx *db.Tx) (backup, error) { return findBackup(tx, call.UserID, req.Version) })
}

func (s *Service) describeBackup(ctx context.Context, find func(*db.Tx) (backup, error)) (out getRoomKeysVersionResponse, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		b, err := find(tx)
		out = getRoomKeysVersionResponse{b.algorithm, b.authData, b.keys, b.tag(), b.name()}
		return err
	})
	return out, err
}

type putRoomKeysVersionRequest struct {
	Version   string         `path:"version"`
	Same      *string        `json:"version"`
	Algorithm string         `json:"algorithm" required:"true"`
	AuthData  jsontext.Value `json:"auth_data" required:"true"`
}

// putRoomKeysVersion changes what is said about a backup. The algorithm stays.
func (s *Service) putRoomKeysVersion(ctx context.Context, call *httpapi.Call, req putRoomKeysVersionRequest) (empty, error) {
	if err := checkAuthData(req.AuthData); err != nil {
		return empty{}, err
	}
	if req.Same != nil && *req.Same != req.Version {
		return empty{}, errcode.InvalidParam.New("The path names another version than the body. Send the same, or leave it out of the body.").With("param", "version")
	}
	return empty{}, s.db.Write(ctx, func(tx *db.Tx) error {
		if err := lockBackup(tx, call.UserID); err != nil {
			return err
		}
		b, err := findBackup(tx, call.UserID, req.Version)
		if err != nil {
			return err
		}
		if req.Algorithm != b.algorithm {
			return errcode.InvalidParam.New("The algorithm of a backup cannot change: this one has %s. Make a new backup.", b.algorithm).With("param", "algorithm")
		}
		return tx.Later(`UPDATE key_backups SET auth_data = $3 WHERE user_id = $1 AND version = $2`, call.UserID, b.version, []byte(req.AuthData))
	})
}

type deleteRoomKeysVersionRequest struct {
	Version string `path:"version"`
}

// deleteRoomKeysVersion deletes a backup with its keys. Its number is not given
// again, and deleting it once more is no failure.
func (s *Service) deleteRoomKeysVersion(ctx context.Context, call *httpapi.Call, req deleteRoomKeysVersionRequest) (empty, error) {
	return empty{}, s.db.Write(ctx, func(tx *db.Tx) error {
		if err := lockBackup(tx, call.UserID); err != nil {
			return err
		}
		version := parseVersion(req.Version)
		n, err := tx.Exec(`UPDATE key_backups SET deleted = TRUE, auth_data = $3, keys = 0 WHERE user_id = $1 AND version = $2`,
			call.UserID, version, []byte("{}"))
		if err != nil {
			return err
		}
		if n == 0 {
			return noBackup()
		}
		return tx.Later(`DELETE FROM key_backup_sessions WHERE user_id = $1 AND version = $2`, call.UserID, version)
	})
}
