package syncer

import (
	"slices"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/e2ee"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

// mostMessages is how many messages to a device one answer has.
const mostMessages = 200

// addToDevice adds the messages to the device. If there are more than fit, the
// whole answer is one as of the last of them: there is one token for everything.
func (r *reading) addToDevice() error {
	if r.has&messages == 0 {
		return nil
	}
	messages, err := r.s.e2ee.ToDevice(r.tx, r.userID, r.deviceID, r.since, r.to, mostMessages+1)
	if err != nil {
		return err
	}
	if len(messages) > mostMessages {
		messages = messages[:mostMessages]
		r.to = messages[mostMessages-1].Pos
	}
	for _, m := range messages {
		if err := r.answer.ToDevice.add(plainEvent{Type: m.Type, Sender: m.Sender, Content: m.Content}); err != nil {
			return err
		}
	}
	return nil
}

// addKeyCounts adds how many keys of the device are left. While a request waits
// for something to tell they are counted only once.
func (r *reading) addKeyCounts() (err error) {
	if r.before != nil && r.answer.empty() {
		r.answer.OneTimeKeys, r.answer.FallbackKeys = r.before.answer.OneTimeKeys, r.before.answer.FallbackKeys
		return nil
	}
	r.answer.OneTimeKeys, r.answer.FallbackKeys, err = e2ee.ReadUnclaimed(r.unclaimed)
	return err
}

// addDeviceLists adds whose devices the client must look up again, and whose it may
// forget: users whose keys, or signatures of them, changed, and users with whom the user came to share
// an encrypted room, or ceased to. After an initial sync the client asks for what
// it needs (client-server API, Extensions to /sync of end-to-end encryption); one that
// comes from a lost history thinks that it knows.
func (r *reading) addDeviceLists() error {
	if r.initial && !r.lost {
		return nil
	}
	changed := map[id.UserID]bool{}
	if r.has&deviceNews != 0 {
		updated, err := accounts.DeviceListChanges(r.tx, r.since, r.to)
		if err != nil {
			return err
		}
		if err := r.keepSharing(changed, updated); err != nil {
			return err
		}
	}
	if r.has&signed != 0 {
		users, err := r.s.e2ee.Signed(r.tx, r.userID, r.since, r.to)
		if err != nil {
			return err
		}
		for _, u := range users {
			changed[u] = true
		}
	}
	came, gone, err := r.movements()
	if err != nil {
		return err
	}
	left := map[id.UserID]bool{}
	if len(gone) > 0 {
		shared, err := rooms.Sharing(r.tx, r.userID, gone)
		if err != nil {
			return err
		}
		for _, u := range gone {
			left[u] = u != r.userID && !shared[u]
		}
	}
	for _, u := range came {
		changed[u] = changed[u] || u != r.userID
	}
	lists := deviceLists{Changed: listed(changed, left), Left: listed(left, nil)}
	if len(lists.Changed)+len(lists.Left) > 0 {
		r.answer.DeviceLists = &lists
	}
	return nil
}

// keepSharing adds those of some users who share a room with the user, who counts.
func (r *reading) keepSharing(set map[id.UserID]bool, users []id.UserID) error {
	if len(users) == 0 {
		return nil
	}
	shared, err := rooms.Sharing(r.tx, r.userID, users)
	for _, u := range users {
		if shared[u] || u == r.userID {
			set[u] = true
		}
	}
	return err
}

// movements gives the users who came into an encrypted room with the user, and
// those who are no longer in one of them.
func (r *reading) movements() (came, gone []id.UserID, err error) {
	var touched []id.RoomID
	for _, st := range r.stays {
		if !st.only && (st.fresh || st.left || st.members || st.crypto) {
			touched = append(touched, st.roomID)
		}
	}
	encrypted, err := rooms.EncryptedRooms(r.tx, touched)
	if err != nil {
		return nil, nil, err
	}
	var changed []id.RoomID
	entered, left, was := map[id.RoomID]int64{}, map[id.RoomID]int64{}, map[id.RoomID]int64{}
	for roomID := range encrypted {
		switch st := r.byRoom[roomID]; {
		case st.left:
			left[roomID] = st.view.LastIn(r.to)
			if !st.fresh {
				was[roomID] = r.since // others may have left before the user did
			}
		case st.fresh, st.crypto:
			entered[roomID] = r.to
		default:
			changed = append(changed, roomID)
		}
	}
	if came, gone, err = rooms.MemberChanges(r.tx, changed, r.since, r.to); err != nil {
		return nil, nil, err
	}
	met, err := rooms.MembersOf(r.tx, entered)
	if err != nil {
		return nil, nil, err
	}
	lost, err := rooms.MembersOf(r.tx, left)
	if err != nil {
		return nil, nil, err
	}
	earlier, err := rooms.MembersOf(r.tx, was)
	return append(came, met...), slices.Concat(gone, lost, earlier), err
}

// listed gives what is in one set and not in another, in order.
func listed(set, not map[id.UserID]bool) (list []id.UserID) {
	for u, in := range set {
		if in && !not[u] {
			list = append(list, u)
		}
	}
	slices.Sort(list)
	return list
}
