package accounts

import (
	"net/netip"
	"slices"
	"time"

	"github.com/narthex-matrix/narthex/internal/bus"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// Device is one row of `devices`.
type Device struct {
	UserID            id.UserID
	DeviceID          id.DeviceID
	DisplayName       *string
	Created           time.Time
	LastSeen          time.Time // the truth may be up to SeenEvery later
	LastSeenIP        string    // empty: never seen
	LastSeenUserAgent string
}

const deviceColumns = `user_id, device_id, display_name, created_ts, last_seen_ts, last_seen_ip, last_seen_user_agent`

func scanDevice(r db.Row) (d Device, err error) {
	var created, seen int64
	err = r.Scan(&d.UserID, &d.DeviceID, &d.DisplayName, &created, &seen, &d.LastSeenIP, &d.LastSeenUserAgent)
	d.Created, d.LastSeen = time.UnixMilli(created), time.UnixMilli(seen)
	return d, err
}

// Devices gives the devices of users, those of one user in the order of their ids.
func (s *Service) Devices(tx *db.Tx, users ...id.UserID) (devices []Device, err error) {
	err = db.Chunks(users, func(users []id.UserID) error {
		in := db.In(users)
		some, err := db.All(tx, scanDevice, `SELECT `+deviceColumns+` FROM devices WHERE user_id IN (`+in.Marks(1)+`)
			ORDER BY user_id, device_id`, in.Args()...)
		devices = append(devices, some...)
		return err
	})
	return devices, err
}

// Device gives one device, or db.ErrNoRow.
func (s *Service) Device(tx *db.Tx, userID id.UserID, deviceID id.DeviceID) (Device, error) {
	return db.One(tx, scanDevice, `SELECT `+deviceColumns+` FROM devices WHERE user_id = $1 AND device_id = $2`, userID, deviceID)
}

// PutDevice adds a device with a name, cut to 256 characters, for a session that begins.
// One that is there already stays as it is.
func (s *Service) PutDevice(tx *db.Tx, userID id.UserID, deviceID id.DeviceID, name *string) error {
	if name != nil {
		short := printable(*name)
		name = &short
	}
	if err := tx.Later(`INSERT INTO sign_ins (mark, ts) VALUES ($1, $2)`, []byte(secret.String(signInMark)), tx.Now.UnixMilli()); err != nil {
		return err
	}
	return tx.Later(`INSERT INTO devices (user_id, device_id, display_name, created_ts, last_seen_ts, last_seen_ip, last_seen_user_agent)
		VALUES ($1, $2, $3, $4, $4, '', '') ON CONFLICT (user_id, device_id) DO NOTHING`,
		userID, deviceID, name, tx.Now.UnixMilli())
}

const (
	signInMark = 12 // random bytes
	// signInsKept is how long sign-ins are kept to be counted.
	signInsKept = 60 * 24 * time.Hour
)

// SeenEvery is how far behind the time may be at which a device was last seen.
const SeenEvery = 5 * time.Minute

// Seen notes that a device was used, and from where. Callers keep it rare: once
// in SeenEvery is enough.
func (s *Service) Seen(tx *db.Tx, userID id.UserID, deviceID id.DeviceID, from netip.Addr, userAgent string) error {
	return tx.Later(`UPDATE devices SET last_seen_ts = $3, last_seen_ip = $4, last_seen_user_agent = $5 WHERE user_id = $1 AND device_id = $2`,
		userID, deviceID, tx.Now.UnixMilli(), from.String(), printable(userAgent))
}

// DeleteDevices deletes devices of a user with all that hangs on them: tokens,
// keys, messages to them. Devices that are not there are no failure.
func (s *Service) DeleteDevices(tx *db.Tx, userID id.UserID, devices []id.DeviceID) error {
	deleted := int64(0)
	err := db.Chunks(devices, func(devices []id.DeviceID) error {
		in := db.In(devices)
		n, err := tx.Exec(`DELETE FROM devices WHERE user_id = $1 AND device_id IN (`+in.Marks(2)+`)`, in.Args(userID)...)
		deleted += n
		return err
	})
	if err != nil || deleted == 0 {
		return err
	}
	return s.DeviceListChanged(tx, userID)
}

// DeleteOtherDevices deletes every device of a user but one; all, if that is "".
func (s *Service) DeleteOtherDevices(tx *db.Tx, userID id.UserID, but id.DeviceID) error {
	n, err := tx.Exec(`DELETE FROM devices WHERE user_id = $1 AND device_id <> $2`, userID, but)
	if err != nil || n == 0 {
		return err
	}
	return s.DeviceListChanged(tx, userID)
}

// DeviceListChanged notes in the stream that a user's devices, or the keys of one,
// have changed, and wakes the user. It takes a position, so it comes late in a
// transaction.
func (s *Service) DeviceListChanged(tx *db.Tx, userID id.UserID) error {
	pos, err := tx.Next()
	if err != nil {
		return err
	}
	err = tx.Later(`INSERT INTO device_list_changes (pos, user_id) VALUES ($1, $2)`, pos, userID)
	tx.Wake(bus.User(userID))
	return err
}

// ChangedDeviceLists gives those of the users whose device list changed after a
// position, up to and including another.
func (s *Service) ChangedDeviceLists(tx *db.Tx, after, upTo int64, users []id.UserID) (changed []id.UserID, err error) {
	err = db.Chunks(users, func(users []id.UserID) error {
		in := db.In(users)
		some, err := db.All(tx, db.Scalar[id.UserID], `SELECT DISTINCT user_id FROM device_list_changes
			WHERE pos > $1 AND pos <= $2 AND user_id IN (`+in.Marks(3)+`)`, in.Args(after, upTo)...)
		changed = append(changed, some...)
		return err
	})
	slices.Sort(changed)
	return changed, err
}
