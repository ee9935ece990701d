package e2ee

import (
	"context"
	"errors"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/bus"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

const (
	maxMessage  = 64 << 10 // bytes of a message's content
	maxMessages = 5000     // of one request
	allDevices  = "*"
)

// txnID is a transaction id: any text of 1 to 255 bytes.
type txnID string

// UnmarshalText checks the length.
func (t *txnID) UnmarshalText(text []byte) error {
	if len(text) == 0 || len(text) > id.MaxLength {
		return errors.New("a transaction id has 1 to 255 bytes")
	}
	*t = txnID(text)
	return nil
}

// eventType is the type of a message: any text of 1 to 255 bytes.
type eventType string

// UnmarshalText checks the length.
func (t *eventType) UnmarshalText(text []byte) error {
	if len(text) == 0 || len(text) > id.MaxLength {
		return errors.New("an event type has 1 to 255 bytes")
	}
	*t = eventType(text)
	return nil
}

type sendToDeviceRequest struct {
	EventType eventType                                    `path:"eventType"`
	TxnID     txnID                                        `path:"txnId"`
	Messages  map[id.UserID]map[id.DeviceID]jsontext.Value `json:"messages" required:"true"`
}

type empty struct{}

func (s *Service) sendToDevice(ctx context.Context, call *httpapi.Call, req sendToDeviceRequest) (empty, error) {
	for _, devices := range req.Messages {
		for deviceID, content := range devices {
			if content.Kind() != '{' {
				return empty{}, errcode.BadJSON.New("In %q, each message must be an object.", "messages").With("param", "messages")
			}
			if err := content.Compact(); err != nil {
				return empty{}, err
			}
			if len(content) > maxMessage {
				return empty{}, errcode.TooLarge.New("A message to a device may have at most %d bytes.", maxMessage)
			}
			devices[deviceID] = content
		}
	}
	return empty{}, s.db.Write(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec(`INSERT INTO to_device_sent (user_id, device_id, type, txn_id, sent_ts) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (user_id, device_id, type, txn_id) DO NOTHING`, call.UserID, call.DeviceID, req.EventType, req.TxnID, tx.Now.UnixMilli())
		if err != nil || n == 0 {
			return err // or done before
		}
		messages, err := s.addressed(tx, req.Messages)
		if err != nil {
			return err
		}
		if len(messages) > maxMessages {
			return errcode.TooLarge.New("One request may send at most %d messages. Send them in several.", maxMessages)
		}
		return insertToDevice(tx, call.UserID, string(req.EventType), messages)
	})
}

// message is a message to one device.
type message struct {
	to      deviceOf
	content jsontext.Value
}

// addressed gives the messages for the devices that there are. Others are dropped:
// the sender may not have heard yet that a device is gone.
func (s *Service) addressed(tx *db.Tx, messages map[id.UserID]map[id.DeviceID]jsontext.Value) (out []message, err error) {
	var users []id.UserID
	for u := range messages {
		users = append(users, u)
	}
	slices.Sort(users)
	devices, err := s.accounts.Devices(tx, users...)
	for _, d := range devices {
		content, ok := messages[d.UserID][d.DeviceID]
		if !ok {
			content, ok = messages[d.UserID][allDevices]
		}
		if ok {
			out = append(out, message{deviceOf{d.UserID, d.DeviceID}, content})
		}
	}
	return out, err
}

func insertToDevice(tx *db.Tx, sender id.UserID, eventType string, messages []message) error {
	if len(messages) == 0 {
		return nil
	}
	pos, err := tx.NextN(len(messages))
	if err != nil {
		return err
	}
	for i, m := range messages {
		err := tx.Later(`INSERT INTO to_device (pos, user_id, device_id, sender, type, content) VALUES ($1, $2, $3, $4, $5, $6)`,
			pos+int64(i), m.to.userID, m.to.deviceID, sender, eventType, []byte(m.content))
		if err != nil {
			return err
		}
		tx.Wake(bus.User(m.to.userID))
	}
	return nil
}

// What statements of others are made of that read more than this: the position of the
// oldest message to the device of a session, 0 for none; whether there are messages to the
// device $2 of the user $1 after position $3; and whether the user signed other users'
// keys after it.
const (
	OldestMessage = `COALESCE((SELECT MIN(pos) FROM to_device WHERE user_id = session.user_id AND device_id = session.device_id), 0)`
	HasMessages   = `EXISTS (SELECT 1 FROM to_device WHERE user_id = $1 AND device_id = $2 AND pos > $3)`
	HasSigned     = `EXISTS (SELECT 1 FROM user_signatures WHERE signer_id = $1 AND pos > $3)`
)

// Message is a message to a device.
type Message struct {
	Pos     int64
	Sender  id.UserID
	Type    string
	Content jsontext.Value // a JSON object
}

// ToDevice gives the messages to a device after a position, up to and including
// another, oldest first and at most limit. If there are more, an answer that holds
// them is one as of the position of the last of them: what is later must wait.
func (s *Service) ToDevice(tx *db.Tx, userID id.UserID, deviceID id.DeviceID, from, to int64, limit int) ([]Message, error) {
	return db.All(tx, func(r db.Row) (m Message, err error) {
		err = r.Scan(&m.Pos, &m.Sender, &m.Type, (*[]byte)(&m.Content))
		return m, err
	}, `SELECT pos, sender, type, content FROM to_device WHERE user_id = $1 AND device_id = $2 AND pos > $3 AND pos <= $4 ORDER BY pos LIMIT $5`,
		userID, deviceID, from, to, limit)
}

// DeleteToDevice forgets the messages that a device has received: those up to and
// including a position, of which it has shown the token. It gives their number.
func (s *Service) DeleteToDevice(tx *db.Tx, userID id.UserID, deviceID id.DeviceID, upTo int64) (int64, error) {
	return tx.Exec(`DELETE FROM to_device WHERE user_id = $1 AND device_id = $2 AND pos <= $3`, userID, deviceID, upTo)
}
