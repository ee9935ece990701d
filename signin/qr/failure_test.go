package qr

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestEveryFailureHasASentence holds that a person is told what each reason means
// and what to do, on whichever device, and in other words by whoever gave it.
func TestEveryFailureHasASentence(t *testing.T) {
	shared := []Reason{AuthorizationExpired, DeviceAlreadyExists, DeviceNotFound, UnexpectedMessage, UnsupportedProtocol, UserCancelled, UnableToOpenURI, Declined}
	local := []Reason{SessionOver, Conflict, WrongCheckCode, WrongIntent, Insecure, NotReady, Broken}
	if len(sentences) != len(shared)+len(local) {
		t.Errorf("%d reasons have sentences, and %d are known", len(sentences), len(shared)+len(local))
	}
	seen := map[string]string{}
	say := func(f *Failure) {
		t.Helper()
		text, which := f.Error(), fmt.Sprint(f.Reason, " by ", f.By)
		if !strings.HasSuffix(text, ".") || strings.Count(text, ".") < 2 || strings.Contains(text, "_") {
			t.Errorf("%s: %q", which, text)
		}
		if other, taken := seen[text]; taken {
			t.Errorf("%s and %s say the same: %q", which, other, text)
		}
		seen[text] = which
	}
	for _, reason := range shared {
		say(&Failure{Reason: reason, By: ThisDevice})
		say(&Failure{Reason: reason, By: OtherDevice})
	}
	for _, reason := range local {
		say(&Failure{Reason: reason, By: ThisDevice})
	}
	say(&Failure{Reason: WrongIntent, By: ThisDevice, device: DeviceNew})
	say(&Failure{Reason: "org.example.tea_time", By: OtherDevice})
	say(&Failure{Reason: "org.example.tea_time", By: ThisDevice})
	say(&Failure{Reason: SessionOver, By: ThisDevice, SignedIn: true})
}

// TestForeignReasonsSayNothingLocal holds that the other device cannot make this
// one say that its own check failed.
func TestForeignReasonsSayNothingLocal(t *testing.T) {
	for _, reason := range []Reason{WrongCheckCode, NotReady, SessionOver, "unknown", "x"} {
		f := &Failure{Reason: reason, By: OtherDevice}
		if !strings.Contains(f.Error(), "a reason that this app does not know") {
			t.Errorf("%s: %s", reason, f)
		}
	}
}

func TestFailureIsAnError(t *testing.T) {
	err := fmt.Errorf("signing in: %w", &Failure{Reason: Broken, By: ThisDevice, Cause: errTest})
	switch {
	case !errors.Is(err, &Failure{Reason: Broken}):
		t.Error("a failure is not like one of the same reason")
	case errors.Is(err, &Failure{Reason: Declined}):
		t.Error("a failure is like one of another reason")
	case !errors.Is(err, errTest):
		t.Error("the cause is lost")
	case strings.Contains(err.Error(), errTest.Error()):
		t.Error("the cause is shown to the person")
	}
}
