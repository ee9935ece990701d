package authrules

import "github.com/narthex-matrix/narthex/internal/event"

// Kind is the cause of a rejection, as far as callers answer differently to it.
type Kind int

// The kinds. "Target" is the user whose membership an event would change.
const (
	Other        Kind = iota // none of the following
	NotJoined                // the sender is not in the room
	Power                    // the sender's power level does not suffice
	TargetJoined             // the target is joined, and would be invited or knock
	TargetState              // the target's membership forbids it otherwise: banned, invited
	JoinRule                 // the join rule does not let the target in
	Ownership                // the state key belongs to another user or server
	Content                  // the event's content is malformed
)

// String returns the kind's name for logs.
func (k Kind) String() string {
	return [...]string{"other", "not joined", "power", "target joined", "target state", "join rule", "ownership", "content"}[k]
}

// Rejection says which rule forbids an event.
type Rejection struct {
	Rule   string // its number in the list of the event's room version: "5.4.3"
	Reason string // a sentence that may be shown to the sender
	Kind   Kind
}

// Error returns the reason, without the number.
func (r *Rejection) Error() string { return r.Reason }

// numbers holds the numbers that a room version's list gives to the rules.
type numbers struct {
	noCreate, otherRoom, authEvents          string
	federate, aliases, member, notJoined     string
	thirdParty, level, stateKey              string
	levels, redaction                        string
	join, invite, leave, ban, knock, unknown string // within member
	users, scalars, maps, named              string // within levels
	eventsOld, eventsNew, usersOld, usersNew string
}

var numbersByVersion = numberTable()

func numberTable() map[string]*numbers {
	table := map[string]*numbers{}
	for _, v := range event.Versions() {
		n := makeNumbers(&v)
		table[v.ID] = &n
	}
	return table
}

// numbersOf returns the numbers of a room version.
func numbersOf(v *event.Version) *numbers { return numbersByVersion[v.ID] }

// makeNumbers lists the numbers of a room version. Three things move them: version
// 6 loses the rule for aliases, version 8 gains one within membership, and version
// 12 gains one before the auth events.
func makeNumbers(v *event.Version) numbers {
	switch {
	case v.RoomIDIsCreateEvent:
		n := numbers{
			noCreate: "2", otherRoom: "3.5", authEvents: "3", federate: "4", member: "5",
			notJoined: "6", thirdParty: "7", level: "8", stateKey: "9", levels: "10",
		}
		return n.withRestricted().withIntegers(5)
	case v.AliasesRule:
		n := numbers{
			noCreate: "2.4", otherRoom: "2.5", authEvents: "2", federate: "3", aliases: "4", member: "5",
			notJoined: "6", thirdParty: "7", level: "8", stateKey: "9", levels: "10", redaction: "11",
		}
		return n.withPlain(v).withStrings()
	default:
		n := numbers{
			noCreate: "2.4", otherRoom: "2.5", authEvents: "2", federate: "3", member: "4",
			notJoined: "5", thirdParty: "6", level: "7", stateKey: "8", levels: "9",
		}
		if v.Restricted {
			n = n.withRestricted()
		} else {
			n = n.withPlain(v)
		}
		if v.IntegerPowerLevels {
			return n.withIntegers(4)
		}
		return n.withStrings()
	}
}

// withPlain fills the membership rules of versions without restricted rooms.
func (n numbers) withPlain(v *event.Version) numbers {
	n.join, n.invite, n.leave, n.ban, n.unknown = n.member+".2", n.member+".3", n.member+".4", n.member+".5", n.member+".6"
	if v.Knock {
		n.knock, n.unknown = n.member+".6", n.member+".7"
	}
	return n
}

// withRestricted fills those of versions with restricted rooms.
func (n numbers) withRestricted() numbers {
	n.join, n.invite, n.leave = n.member+".3", n.member+".4", n.member+".5"
	n.ban, n.knock, n.unknown = n.member+".6", n.member+".7", n.member+".8"
	return n
}

// withStrings fills the rules for changing power levels of versions in which
// levels may be strings.
func (n numbers) withStrings() numbers {
	l := n.levels
	n.users, n.scalars, n.maps = l+".1", l+".1", l+".1"
	return n.withChanges(l+".3", l+".4.1", l+".5.1", l+".6.1", l+".7.1")
}

// withIntegers fills those of versions in which levels are integers; noPrevious is
// the number of the rule that allows the first levels.
func (n numbers) withIntegers(noPrevious int) numbers {
	l := n.levels
	n.scalars, n.maps, n.users = l+".1", l+".2", l+".3"
	if noPrevious == 5 {
		return n.withChanges(l+".6", l+".7.1", l+".8.1", l+".9.1", l+".10.1")
	}
	return n.withChanges(l+".5", l+".6.1", l+".7.1", l+".8.1", l+".9.1")
}
