package qr

// Reason says why a sign-in ended without success.
type Reason string

// Reasons that devices tell each other.
const (
	// AuthorizationExpired: the new device's request was not approved in time.
	AuthorizationExpired Reason = "authorization_expired"
	// DeviceAlreadyExists: the new device chose the ID of a device that is there.
	DeviceAlreadyExists Reason = "device_already_exists"
	// DeviceNotFound: the new device said that it is signed in, and the homeserver
	// does not know it.
	DeviceNotFound Reason = "device_not_found"
	// UnexpectedMessage: a message came that has no place at this step, or is none.
	UnexpectedMessage Reason = "unexpected_message_received"
	// UnsupportedProtocol: the devices and the homeserver have no way to sign in
	// in common.
	UnsupportedProtocol Reason = "unsupported_protocol"
	// UserCancelled: a person stopped it, or a device could not go on and has no
	// better word for it.
	UserCancelled Reason = "user_cancelled"
	// UnableToOpenURI: the existing device cannot open the page on which to
	// approve (Gen2025 only).
	UnableToOpenURI Reason = "unable_to_open_verification_uri"
	// Declined: the person refused on the homeserver's page. It travels as a
	// message of its own, m.login.declined.
	Declined Reason = "declined"
)

// Reasons that stay on this device.
const (
	// SessionOver: the meeting place of the devices ran out or was deleted.
	SessionOver Reason = "session_over"
	// Conflict: both devices wrote at once, and a message is lost.
	Conflict Reason = "conflict"
	// WrongCheckCode: the digits that were typed are not those of the other device.
	WrongCheckCode Reason = "wrong_check_code"
	// WrongIntent: both devices are new, or both are signed in.
	WrongIntent Reason = "wrong_intent"
	// Insecure: a message cannot be opened, or comes from somebody else.
	Insecure Reason = "insecure"
	// NotReady: this device cannot sign another in, which showed before any code.
	NotReady Reason = "not_ready"
	// Broken: this device failed at a step of its own; Failure.Cause says how.
	Broken Reason = "broken"
)

// Side says on which device a failure began.
type Side int

const (
	// ThisDevice is where the program runs.
	ThisDevice Side = iota + 1
	// OtherDevice said it in a message.
	OtherDevice
)

// Failure is how a sign-in ends without success. Error gives a sentence or two for
// the person at this device: what it means and what to do next.
type Failure struct {
	Reason Reason
	// By says who ended it. Reasons by OtherDevice need not be among the constants.
	By Side
	// SignedIn says that the new device has a session all the same: it lacks the
	// keys, and is unverified.
	SignedIn bool
	// Cause is what went wrong on this device, or nil. Its text is not for the
	// person.
	Cause error

	device Device
}

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Cause }

// Is reports whether target is a *Failure with the same reason, by whichever side.
func (f *Failure) Is(target error) bool {
	other, ok := target.(*Failure)
	return ok && other.Reason == f.Reason
}

// Error gives the sentences.
func (f *Failure) Error() string {
	text := f.sentence()
	if f.SignedIn {
		text += signedInText
	}
	return text
}

const signedInText = " The new device is signed in, but without the keys for your encrypted messages: verify it, or sign it out in the list of your devices."

func (f *Failure) sentence() string {
	s := sentences[f.Reason]
	switch {
	case f.By == OtherDevice && s.theirs != "":
		return s.theirs
	case f.By == OtherDevice:
		// Not one of the reasons that devices tell each other.
		return "The other device stopped the sign-in for a reason that this app does not know. Look at the other device, and start again with a new code."
	case f.device == DeviceNew && s.new != "":
		return s.new
	case s.mine != "":
		return s.mine
	}
	return "The sign-in ended. Start again with a new code."
}

// sentences has, for each reason, what to say if this device gave it and if the
// other did; new replaces mine on the new device.
var sentences = map[Reason]struct{ mine, theirs, new string }{
	AuthorizationExpired: {
		mine:   "The sign-in was not approved in time. Start again with a new code, and approve it in the browser of the device that is signed in.",
		theirs: "The sign-in was not approved in time. Start again with a new code, and approve it in the browser as soon as the page opens.",
	},
	DeviceAlreadyExists: {
		mine:   "The new device asked for the ID of a device that your account has already. Nothing was shared. Start again with a new code; if it happens again, that app is faulty.",
		theirs: "Your account has a device with the ID that this one chose. Start again with a new code, for which a new ID is made.",
	},
	DeviceNotFound: {
		mine:   "The homeserver does not know the new device, though that says that it is signed in. Your keys were not shared. Look at the list of your devices, and start again with a new code.",
		theirs: "The other device could not find this one at the homeserver, and did not share your keys. Start again with a new code.",
	},
	UnexpectedMessage: {
		mine:   "The other device sent something that does not belong to this step. Update the apps on both devices and start again with a new code.",
		theirs: "The other device did not understand this one. Update the apps on both devices and start again with a new code.",
	},
	UnsupportedProtocol: {
		mine:   "Your homeserver, or one of the apps, does not offer to sign in with a QR code. Update both apps, or sign in without a code.",
		theirs: "The other device says that the homeserver or one of the apps does not offer to sign in with a QR code. Update both apps, or sign in without a code.",
	},
	UserCancelled: {
		mine:   "The sign-in was stopped on this device. To sign in, start again with a new code.",
		theirs: "The sign-in was stopped on the other device. To sign in, start again with a new code; if you did not stop it, look at the other device.",
	},
	UnableToOpenURI: {
		mine:   "This device could not open the page on which you approve the sign-in. Install or allow a browser, and start again with a new code.",
		theirs: "The other device could not open the page on which you approve the sign-in. Use a device with a browser, or sign in here without a code.",
	},
	Declined: {
		mine:   "The sign-in was refused on the homeserver's page. If it was meant to succeed, start again with a new code and choose to allow it.",
		theirs: "The sign-in was refused on the homeserver's page. If it was not you who refused, look at the list of your devices and change your password.",
	},
	SessionOver: {
		mine: "The code has run out, or the other device ended the sign-in. Start again with a new code.",
	},
	Conflict: {
		mine: "Both devices spoke at the same moment, and a message was lost. Start again with a new code.",
	},
	WrongCheckCode: {
		mine: "The two digits are not those that the other device shows, so the sign-in was stopped. Start again with a new code; if the digits differ once more, somebody may be listening: use another network.",
	},
	WrongIntent: {
		mine: "This code is shown by another device that is signed in already. Scan it with the device that you want to sign in.",
		new:  "This code is shown by another device that is not signed in. Scan it with a device that is signed in to your account.",
	},
	Insecure: {
		mine: "A message from the other device could not be trusted, so the sign-in was stopped. Start again with a new code; if it happens again, update both apps or use another network.",
	},
	NotReady: {
		mine: "This device cannot sign another one in: the homeserver must offer sign-in with a QR code, and this device must hold your keys. Verify this device first, or sign in on the other without a code.",
	},
	Broken: {
		mine: "This device could not go on with the sign-in. Check its connection, and start again with a new code.",
	},
}
