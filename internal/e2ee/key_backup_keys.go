package e2ee

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

// maxSessionData is how many bytes one key in a backup may have.
const maxSessionData = 64 << 10

// sessionID names a session of a room: any text of 1 to 255 bytes.
type sessionID string

// UnmarshalText checks the length.
func (s *sessionID) UnmarshalText(text []byte) error {
	if len(text) == 0 || len(text) > id.MaxLength {
		return errors.New("a session id has 1 to 255 bytes")
	}
	*s = sessionID(text)
	return nil
}

// keyBackupData is the key of one session as it is sent.
type keyBackupData struct {
	FirstMessageIndex *int64         `json:"first_message_index"`
	ForwardedCount    *int64         `json:"forwarded_count"`
	IsVerified        *bool          `json:"is_verified"`
	SessionData       jsontext.Value `json:"session_data"`
}

type roomKeyBackup struct {
	Sessions map[string]keyBackupData `json:"sessions"`
}

type roomKeysUpdateResponse struct {
	ETag  string `json:"etag"`
	Count int64  `json:"count"`
}

type putRoomKeysRequest struct {
	Version string                       `query:"version,required"`
	Rooms   map[id.RoomID]*roomKeyBackup `json:"rooms" required:"true"`
}

func (s *Service) putRoomKeys(ctx context.Context, call *httpapi.Call, req putRoomKeysRequest) (roomKeysUpdateResponse, error) {
	keys := map[sessionOf]sessionKey{}
	for roomID, room := range req.Rooms {
		if room == nil || room.Sessions == nil {
			return roomKeysUpdateResponse{}, errcode.BadJSON.New("In %q, each room must have %q.", "rooms", "sessions").With("param", "rooms")
		}
		if err := addSessions(keys, roomID, room.Sessions); err != nil {
			return roomKeysUpdateResponse{}, err
		}
	}
	return s.backUp(ctx, call.UserID, req.Version, keys)
}

type putRoomKeysByRoomIDRequest struct {
	RoomID   id.RoomID                `path:"roomId"`
	Version  string                   `query:"version,required"`
	Sessions map[string]keyBackupData `json:"sessions" required:"true"`
}

func (s *Service) putRoomKeysByRoomID(ctx context.Context, call *httpapi.Call, req putRoomKeysByRoomIDRequest) (roomKeysUpdateResponse, error) {
	keys := map[sessionOf]sessionKey{}
	if err := addSessions(keys, req.RoomID, req.Sessions); err != nil {
		return roomKeysUpdateResponse{}, err
	}
	return s.backUp(ctx, call.UserID, req.Version, keys)
}

type putRoomKeyBySessionIDRequest struct {
	RoomID            id.RoomID      `path:"roomId"`
	SessionID         sessionID      `path:"sessionId"`
	Version           string         `query:"version,required"`
	FirstMessageIndex *int64         `json:"first_message_index" required:"true"`
	ForwardedCount    *int64         `json:"forwarded_count" required:"true"`
	IsVerified        *bool          `json:"is_verified" required:"true"`
	SessionData       jsontext.Value `json:"session_data" required:"true"`
}

func (s *Service) putRoomKeyBySessionID(ctx context.Context, call *httpapi.Call, req putRoomKeyBySessionIDRequest) (roomKeysUpdateResponse, error) {
	keys := map[sessionOf]sessionKey{}
	key := keyBackupData{req.FirstMessageIndex, req.ForwardedCount, req.IsVerified, req.SessionData}
	if err := addSessions(keys, req.RoomID, map[string]keyBackupData{string(req.SessionID): key}); err != nil {
		return roomKeysUpdateResponse{}, err
	}
	return s.backUp(ctx, call.UserID, req.Version, keys)
}

// addSessions checks the keys of a room, and adds them.
func addSessions(to map[sessionOf]sessionKey, roomID id.RoomID, sent map[string]keyBackupData) error {
	for session, k := range sent {
		var name sessionID
		if err := name.UnmarshalText([]byte(session)); err != nil {
			return errcode.InvalidParam.New("In %q, %s.", "sessions", err).With("param", "sessions")
		}
		if k.FirstMessageIndex == nil || k.ForwardedCount == nil || k.IsVerified == nil || k.SessionData.Kind() != '{' {
			return errcode.BadJSON.New("A key must have first_message_index, forwarded_count, is_verified and session_data, as the specification describes them.").With("param", "session_data")
		}
		if *k.FirstMessageIndex < 0 || *k.ForwardedCount < 0 {
			return errcode.InvalidParam.New("%q and %q cannot be negative.", "first_message_index", "forwarded_count").With("param", "first_message_index")
		}
		if len(k.SessionData) > maxSessionData {
			return errcode.TooLarge.New("The key of a session may have at most %d bytes.", maxSessionData)
		}
		to[sessionOf{roomID, session}] = sessionKey{*k.FirstMessageIndex, *k.ForwardedCount, *k.IsVerified, k.SessionData}
	}
	return nil
}

// backUp puts keys into a backup, which must be the newest, all or none. A key that
// is no better than the one that is there is left out.
func (s *Service) backUp(ctx context.Context, userID id.UserID, version string, keys map[sessionOf]sessionKey) (out roomKeysUpdateResponse, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if err := lockBackup(tx, userID); err != nil {
			return err
		}
		b, err := writable(tx, userID, version)
		if err != nil {
			return err
		}
		old, err := stored(tx, userID, b.version, keys)
		if err != nil {
			return err
		}
		more, changed := int64(0), false
		for of, k := range keys {
			before, exists := old[of]
			if exists && !k.beats(before) {
				continue
			}
			if !exists {
				more++
			}
			changed = true
			if err := putSession(tx, userID, b.version, of, k); err != nil {
				return err
			}
		}
		if changed {
			err = b.count(tx, userID, more)
		}
		out = roomKeysUpdateResponse{b.tag(), b.keys}
		return err
	})
	return out, err
}

// writable gives the backup of that name if it is the newest. Of an older one it
// says which is.
func writable(tx *db.Tx, userID id.UserID, version string) (backup, error) {
	b, err := findBackup(tx, userID, version)
	if err != nil {
		return b, err
	}
	current, err := currentBackup(tx, userID)
	if err == nil && current.version != b.version {
		err = errcode.WrongRoomKeysVersion.New("This is no longer the backup to write to: there is a newer one, %s.", current.name()).With("current_version", current.name())
	}
	return b, err
}

type getRoomKeysRequest struct {
	Version string `query:"version,required"`
}

type getRoomKeysResponse struct {
	Rooms map[id.RoomID]*roomKeyBackup `json:"rooms"`
}

func (s *Service) getRoomKeys(ctx context.Context, call *httpapi.Call, req getRoomKeysRequest) (out getRoomKeysResponse, err error) {
	keys, err := s.backedUp(ctx, call.UserID, req.Version, sessionOf{})
	out.Rooms = map[id.RoomID]*roomKeyBackup{}
	for of, k := range keys {
		if out.Rooms[of.roomID] == nil {
			out.Rooms[of.roomID] = &roomKeyBackup{map[string]keyBackupData{}}
		}
		out.Rooms[of.roomID].Sessions[of.sessionID] = k.data()
	}
	return out, err
}

type roomKeysByRoomIDRequest struct {
	RoomID  id.RoomID `path:"roomId"`
	Version string    `query:"version,required"`
}

func (s *Service) getRoomKeysByRoomID(ctx context.Context, call *httpapi.Call, req roomKeysByRoomIDRequest) (roomKeyBackup, error) {
	keys, err := s.backedUp(ctx, call.UserID, req.Version, sessionOf{roomID: req.RoomID})
	out := roomKeyBackup{map[string]keyBackupData{}}
	for of, k := range keys {
		out.Sessions[of.sessionID] = k.data()
	}
	return out, err
}

type roomKeyBySessionIDRequest struct {
	RoomID    id.RoomID `path:"roomId"`
	SessionID sessionID `path:"sessionId"`
	Version   string    `query:"version,required"`
}

func (r roomKeyBySessionIDRequest) session() sessionOf {
	return sessionOf{r.RoomID, string(r.SessionID)}
}

func (s *Service) getRoomKeyBySessionID(ctx context.Context, call *httpapi.Call, req roomKeyBySessionIDRequest) (keyBackupData, error) {
	keys, err := s.backedUp(ctx, call.UserID, req.Version, req.session())
	k, ok := keys[req.session()]
	if err == nil && !ok {
		err = errcode.NotFound.New("There is no key of this session in the backup.")
	}
	return k.data(), err
}

func (k sessionKey) data() keyBackupData {
	return keyBackupData{&k.firstMessageIndex, &k.forwardedCount, &k.isVerified, k.sessionData}
}

// backedUp reads keys of a backup, which need not be the newest.
func (s *Service) backedUp(ctx context.Context, userID id.UserID, version string, of sessionOf) (keys map[sessionOf]sessionKey, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		b, err := findBackup(tx, userID, version)
		if err != nil {
			return err
		}
		keys, err = sessions(tx, userID, b.version, of)
		return err
	})
	return keys, err
}

func (s *Service) deleteRoomKeys(ctx context.Context, call *httpapi.Call, req getRoomKeysRequest) (roomKeysUpdateResponse, error) {
	return s.unback(ctx, call.UserID, req.Version, sessionOf{})
}

func (s *Service) deleteRoomKeysByRoomID(ctx context.Context, call *httpapi.Call, req roomKeysByRoomIDRequest) (roomKeysUpdateResponse, error) {
	return s.unback(ctx, call.UserID, req.Version, sessionOf{roomID: req.RoomID})
}

func (s *Service) deleteRoomKeyBySessionID(ctx context.Context, call *httpapi.Call, req roomKeyBySessionIDRequest) (roomKeysUpdateResponse, error) {
	return s.unback(ctx, call.UserID, req.Version, req.session())
}

// unback deletes keys of a backup, which need not be the newest.
func (s *Service) unback(ctx context.Context, userID id.UserID, version string, of sessionOf) (out roomKeysUpdateResponse, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if err := lockBackup(tx, userID); err != nil {
			return err
		}
		b, err := findBackup(tx, userID, version)
		if err != nil {
			return err
		}
		n, err := deleteSessions(tx, userID, b.version, of)
		if err == nil && n > 0 {
			err = b.count(tx, userID, -n)
		}
		out = roomKeysUpdateResponse{b.tag(), b.keys}
		return err
	})
	return out, err
}
