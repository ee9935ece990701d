package event

import "slices"

// DefaultVersion is the room version that new rooms get unless their creator asks
// for another.
const DefaultVersion = "12"

// Format is the shape of event IDs and of references to events.
type Format int

// The formats. Those before FormatHashURL differ only in rooms of age.
const (
	FormatServer  Format = iota + 1 // "$opaque:server"; prev and auth events carry hashes
	FormatHash                      // "$" and the reference hash in standard base64
	FormatHashURL                   // "$" and the reference hash in URL-safe base64
)

// Redaction is a variant of the redaction algorithm, named after the first room
// version that has it.
type Redaction int

// The variants, in their order.
const (
	RedactionV1  Redaction = 1
	RedactionV6  Redaction = 6 // aliases are no longer kept
	RedactionV8  Redaction = 8 // keeps "allow" of join rules
	RedactionV9  Redaction = 9 // keeps "join_authorised_via_users_server" of members
	RedactionV11 Redaction = 11
)

// StateResolution is a version of the state resolution algorithm.
type StateResolution int

// The algorithms.
const (
	StateResolutionV1  StateResolution = iota + 1 // room version 1
	StateResolutionV2                             // room versions 2 to 11
	StateResolutionV21                            // room version 12
)

// Version is a row of the room-version table: what is particular to one room
// version. Rows are shared and must not be changed.
type Version struct {
	ID              string
	Format          Format
	Redaction       Redaction
	StateResolution StateResolution

	StrictJSON          bool // from 6: events must be canonical JSON
	EnforceKeyValidity  bool // from 5: a signing key must be valid when the event is made
	RedactionRule       bool // 1 and 2: redactions are authorized by the redact level
	AliasesRule         bool // up to 5: m.room.aliases has an authorization rule
	NotificationLevels  bool // from 6: changes of notification levels are authorized
	Knock               bool // from 7: join rule "knock"
	Restricted          bool // from 8: join rule "restricted"
	KnockRestricted     bool // from 10: join rule "knock_restricted"
	IntegerPowerLevels  bool // from 10: power levels must be integers, not strings
	ImplicitCreator     bool // from 11: the creator is the sender, not content.creator
	RedactsInContent    bool // from 11: "redacts" is in the content
	PrivilegedCreators  bool // from 12: creators stand above all power levels
	RoomIDIsCreateEvent bool // from 12: the room ID is the hash of the create event
}

var versions = versionTable()

func versionTable() []Version {
	ids := []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"}
	table := make([]Version, len(ids))
	for i, id := range ids {
		n := i + 1
		table[i] = Version{
			ID:                  id,
			Format:              FormatHashURL,
			Redaction:           RedactionV1,
			StateResolution:     StateResolutionV2,
			StrictJSON:          n >= 6,
			EnforceKeyValidity:  n >= 5,
			RedactionRule:       n <= 2,
			AliasesRule:         n <= 5,
			NotificationLevels:  n >= 6,
			Knock:               n >= 7,
			Restricted:          n >= 8,
			KnockRestricted:     n >= 10,
			IntegerPowerLevels:  n >= 10,
			ImplicitCreator:     n >= 11,
			RedactsInContent:    n >= 11,
			PrivilegedCreators:  n >= 12,
			RoomIDIsCreateEvent: n >= 12,
		}
		for _, variant := range []Redaction{RedactionV6, RedactionV8, RedactionV9, RedactionV11} {
			if n >= int(variant) {
				table[i].Redaction = variant
			}
		}
	}
	table[0].StateResolution = StateResolutionV1
	table[11].StateResolution = StateResolutionV21
	table[0].Format, table[1].Format, table[2].Format = FormatServer, FormatServer, FormatHash
	return table
}

// Versions returns the table of room versions, oldest first. The slice is the
// caller's own.
func Versions() []Version { return slices.Clone(versions) }

// VersionByID returns the row with that ID, and false if the version is unknown.
// The same ID always gives the same pointer.
func VersionByID(id string) (*Version, bool) {
	for i := range versions {
		if versions[i].ID == id {
			return &versions[i], true
		}
	}
	return nil, false
}
