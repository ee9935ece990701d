package main

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/narthex-matrix/narthex/signin"
	"github.com/narthex-matrix/narthex/signin/crosssigning"
	"github.com/narthex-matrix/narthex/signin/qr"
)

// advice is what a failure means and what to do about it.
type advice struct {
	code          string // for programs
	meaning, next string
}

// known are the failures that have a name of their own. The first that fits is
// taken, so what is more particular comes first.
var known = []struct {
	is error
	advice
}{
	{context.Canceled, advice{"user_cancelled", "You have stopped it.", "Start it again when you like."}},
	{errNoAnswer, advice{"no_answer", "", "Answer on the terminal, or give one answer per line on the standard input."}},
	{errNotSignedIn, advice{"not_signed_in", "", `Sign in with "narthex signin password" or "narthex signin new", or name another file with --state.`}},
	{errOccupied, advice{"signed_in_already", "One file keeps one device.", `Sign that device out with "narthex signin logout", or keep the new one elsewhere with --state FILE.`}},
	{errNoServer, advice{"no_homeserver", "", `For example: "narthex signin new example.org".`}},
	{errNoCode, advice{"no_code", "", "Take the picture again: straight from the front, sharp, the whole code with a white border."}},
	{errNotBase64, advice{"no_code", "", "Copy the text of the code whole."}},
	{errProfile, advice{"wrong_profile", "", "seed and deployed go with 2024, msc4388 and vodozemac with 2025."}},
	{errNoKeys, advice{"not_ready", "A device without these keys cannot sign in another one.", `Sign in from a device that has them, or run "narthex signin logout" and "narthex signin password" with the recovery key.`}},
	{qr.ErrMailboxGone, advice{"session_over", "The code has run out, or was used.", "Show a new code and start again."}},
	{qr.ErrNoRendezvous, advice{"unsupported_protocol", "Sign-in with a QR code is not possible at this homeserver, or not in this generation.", `Try the other --generation, or ask the administrator, who can run "narthex doctor qr".`}},
	{errInUse, advice{"in_use", "", "Wait until that command has ended, or stop it."}},
	{errNoRefresh, advice{"no_refresh_token", "", `Nothing. A device that is signed in by "narthex signin new" has tokens that are replaced.`}},
	{errRecoveryKey, advice{"wrong_recovery_key", "The device is signed in, but others do not trust it.", `Run "narthex signin logout", then sign in again with the recovery key as it was shown: 48 letters and digits in groups of four. If it is lost, use --reset.`}},
	{errNoStorage, advice{"no_secret_storage", "Only your other devices have the keys.", `Run "narthex signin logout", then sign in with "narthex signin new" and one of your other devices; or replace the keys with --reset.`}},
	{crosssigning.ErrKeysDiffer, advice{"keys_differ", "The keys that were sent are not those of your account: they are old, or made up by somebody.", "Do not trust the device that sent them before you know why. Sign in from another of your devices."}},
	{signin.ErrLoggedOut, advice{"logged_out", "The device was signed out elsewhere, or not used for too long.", `Run "narthex signin logout", then sign in again.`}},
	{signin.ErrAccessDenied, advice{"access_denied", "The request was refused on the page of the homeserver.", "If that was a mistake, start again and agree."}},
	{signin.ErrExpired, advice{"authorization_expired", "Nobody agreed in time on the page of the homeserver.", "Start again and agree within the time shown."}},
	{signin.ErrNoDeviceGrant, advice{"unsupported_protocol", "Sign-in with a QR code is not possible at this homeserver.", `Ask its administrator, who can run "narthex doctor qr"; or sign in by password.`}},
	{signin.ErrNoOAuth, advice{"unsupported_protocol", "Sign-in with a QR code is not possible at this homeserver.", `Ask its administrator, who can run "narthex doctor qr"; or sign in by password.`}},
}

// byCode explains refusals of the homeserver.
var byCode = map[string]advice{
	"M_FORBIDDEN":         {"", "The homeserver does not allow it: most often the name or the password is wrong.", "Check both and try again."},
	"M_UNKNOWN_TOKEN":     {"logged_out", "The device was signed out elsewhere.", `Run "narthex signin logout", then sign in again.`},
	"M_USER_DEACTIVATED":  {"", "The account has been ended.", "Ask the administrator of the homeserver."},
	"M_USER_LOCKED":       {"", "The account is locked.", "Ask the administrator of the homeserver."},
	"M_LIMIT_EXCEEDED":    {"", "There were too many attempts.", "Wait a minute and try again."},
	"M_MISSING_TOKEN":     {"", "This homeserver lets only devices that are signed in show a code of this generation.", `Show the code with "narthex signin existing" and give it to this command with --scan or --code; or use --generation 2024.`},
	"M_UNRECOGNIZED":      {"", "The homeserver does not have what is needed.", `Ask its administrator to update it; "narthex doctor qr" shows what is missing.`},
	"M_INVALID_SIGNATURE": {"", "The homeserver could not check a signature by these keys.", "Report this as a fault of the program."},

	"ORG.MATRIX.MSC3866_USER_AWAITING_APPROVAL": {"", "An administrator has to approve the account first.", "Wait until you are told, then try again."},
}

// explain finds the advice for a failure.
func explain(err error) advice {
	a := adviceFor(err)
	var h *halfway
	if errors.As(err, &h) && a.code != "wrong_recovery_key" && a.code != "no_secret_storage" {
		a.meaning += " The device is signed in, but its encryption is not set up."
		a.next = `Run "narthex signin logout" before you try again. ` + a.next
	}
	return a
}

// failureAdvice adds to a failure, whose text says what it means and what to do in
// any app, what to do here.
func failureAdvice(f *qr.Failure) advice {
	a := advice{code: string(f.Reason), next: afterFailure(f)}
	if cause := f.Cause; cause != nil {
		if known := adviceFor(cause); known.code != unknownFailure && known.code != a.code {
			a.meaning, a.next = known.meaning, known.next+" "+a.next
		}
	}
	return a
}

// unknownFailure is the code of what has no advice of its own.
const unknownFailure = "error"

// afterFailure adds commands to the advice of a failure.
func afterFailure(f *qr.Failure) string {
	if f.SignedIn {
		return `"narthex signin logout" ends the new device, if this is it; "narthex signin status" shows where it stands.`
	}
	if f.Reason == qr.NotReady || f.Reason == qr.UnsupportedProtocol {
		return `"narthex doctor qr" shows what the homeserver lacks.`
	}
	return `Start "narthex signin new" and "narthex signin existing" again, for a new code.`
}

// causeOf is what failed on this device behind a failure, for those who can mend
// it.
func causeOf(err error) string {
	var ended *qr.Failure
	if errors.As(err, &ended) && ended.Cause != nil {
		return ended.Cause.Error()
	}
	return ""
}

func adviceFor(err error) advice {
	var failed *qr.Failure
	if errors.As(err, &failed) {
		return failureAdvice(failed)
	}
	for _, k := range known {
		if errors.Is(err, k.is) {
			return k.advice
		}
	}
	var refusal *signin.MatrixError
	var oauth *signin.OAuthError
	var answer *signin.AnswerError
	var metadata *signin.MetadataError
	var network net.Error
	var again *interactive
	var code *qr.PayloadError
	switch {
	case errors.As(err, &code):
		return advice{"bad_code", "", `To try again: show a new code. A code can be given as a picture (--scan) or as text (--code).`}
	case errors.As(err, &refusal):
		a, ok := byCode[refusal.Code]
		if !ok {
			a = advice{next: "Try again later. If it stays so, tell the administrator of the homeserver."}
			if refusal.Status >= http.StatusInternalServerError {
				a.meaning = "Something is wrong at the homeserver."
			}
		}
		if a.code == "" {
			a.code = refusal.Code
		}
		return a
	case errors.As(err, &oauth):
		return advice{oauth.Code, "The homeserver did not accept the request.", "Start again. If it stays so, tell the administrator of the homeserver."}
	case errors.As(err, &again):
		return advice{"interactive_auth", "The homeserver asks for a proof that this program cannot give.", "Use another Matrix app for this step."}
	case errors.As(err, &metadata), errors.As(err, &answer):
		return advice{"bad_answer", "Something answered, but not as a homeserver does: often a proxy in front of it, or a mistake in its setup.", `Check the name. The administrator can run "narthex doctor qr" to see what is wrong.`}
	case errors.As(err, &network):
		return advice{"unreachable", "The homeserver could not be reached.", "Check the name and your connection, and try again."}
	}
	return advice{unknownFailure, "", `Try again. "narthex doctor qr" looks for mistakes in the setup of the homeserver.`}
}
