package archtest

import (
	"slices"
	"strings"
	"testing"
)

// ranks orders the packages: each imports only lower numbers. The tens are the
// ranks of docs/architecture/overview.md, the units their inner order.
var ranks = map[string]int{
	"internal/id": 10, "internal/errcode": 10, "internal/canonicaljson": 10, "internal/cache": 10,

	"internal/xmatrix": 11,

	"internal/event": 20, "internal/authrules": 21, "internal/stateres": 22,

	"internal/config": 30, "internal/secret": 30, "internal/db": 31, "internal/bus": 32,
	"internal/jobs": 33, "internal/signing": 33, "internal/mail": 34, "internal/sms": 34, "internal/httpapi": 34, "internal/metrics": 35, "internal/page": 35, "internal/outbound": 35,
	"internal/validation":     37, // after mail and sms
	"internal/identityserver": 38, // after validation, whose media it has

	"internal/accounts": 40, "internal/accountdata": 40, "internal/rendezvous": 40, "internal/identity": 40, "internal/factors": 41,

	"internal/oauth": 50, "internal/rooms": 50, "internal/upstream": 51,

	"internal/timeline": 60, "internal/directory": 60, "internal/profile": 60, "internal/ephemeral": 60,
	"internal/push": 60, "internal/moderation": 60, "internal/e2ee": 60, "internal/visitor": 60, "internal/notices": 61,

	"internal/syncer": 70, "internal/admin": 70, "internal/discovery": 70, "internal/web": 70, "internal/adminpages": 71,

	"internal/transfer": 75, // a whole server moved: after the tables that a restore corrects

	"internal/app": 80,

	// The client library: public, and on its own; see TestClientLibraryStandsAlone.
	"signin": 81, "signin/crosssigning": 81, "signin/secretstorage": 82, "signin/qr": 83,

	"internal/qrcode": 84,

	"internal/demo": 90, "internal/doctor": 90, "internal/reference": 90, "internal/bench": 90,

	"cmd/narthex": 100,

	// The programs of docs/sign-in-with-qr.md.
	"docs/examples/new-device": 100, "docs/examples/existing-device": 100,
}

// forTests are the packages that only tests import. They may import anything.
var forTests = []string{"internal/apitest", "internal/dbtest", "internal/pgtest", "internal/archtest", "internal/browsertest", "internal/db/powerloss"}

func TestImportsGoDown(t *testing.T) {
	for _, p := range open(t).pkgs {
		if slices.Contains(forTests, p.short()) || len(p.GoFiles) == 0 {
			continue
		}
		own, ranked := ranks[p.short()]
		if !ranked {
			t.Errorf("%s has no rank; give it one in ranks_test.go", p.short())
			continue
		}
		for _, path := range p.Imports {
			short, inside := strings.CutPrefix(path, module+"/")
			switch {
			case !inside:
			case slices.Contains(forTests, short):
				t.Errorf("%s imports %s, which is for tests", p.short(), short)
			case ranks[short] >= own:
				t.Errorf("%s (rank %d) imports %s (rank %d); a package imports only lower ranks", p.short(), own, short, ranks[short])
			}
		}
	}
}

// TestClientLibraryStandsAlone holds that programs of others can use the client
// library: it needs nothing but the standard library and golang.org/x/crypto, and
// the server does not need it.
func TestClientLibraryStandsAlone(t *testing.T) {
	for _, p := range open(t).pkgs {
		library := strings.HasPrefix(p.short()+"/", "signin/")
		for _, path := range p.Imports {
			short, own := strings.CutPrefix(path, module+"/")
			ofLibrary := own && strings.HasPrefix(short+"/", "signin/")
			host, _, _ := strings.Cut(path, "/")
			switch {
			case library && !ofLibrary && strings.Contains(host, ".") && !strings.HasPrefix(path, "golang.org/x/crypto/"):
				t.Errorf("%s imports %s; the client library stands on the standard library and golang.org/x/crypto", p.short(), path)
			case !library && ofLibrary && ranks[p.short()] < 90 && !slices.Contains(forTests, p.short()):
				t.Errorf("%s imports %s; the server does not need the client library", p.short(), path)
			}
		}
	}
}

// TestPurePackages holds that the room model touches neither database nor network
// nor clock, so that it can be tested and read on its own.
func TestPurePackages(t *testing.T) {
	for _, p := range open(t).pkgs {
		if rank := ranks[p.short()]; rank == 0 || rank >= 30 {
			continue
		}
		for _, banned := range []string{"database/sql", "net/http", "net", "os", "log/slog"} {
			if slices.Contains(p.Imports, banned) {
				t.Errorf("%s imports %s; ranks 1 and 2 are pure", p.short(), banned)
			}
		}
	}
}

// bannedNames say how a package is made, not what it holds.
var bannedNames = []string{"util", "utils", "common", "helpers", "helper", "types", "models", "model", "internalapi", "shared", "misc", "manager", "base", "core", "lib"}

func TestPackageNames(t *testing.T) {
	for _, p := range open(t).pkgs {
		if slices.Contains(bannedNames, p.Name) {
			t.Errorf("%s: name a package after what it holds", p.short())
		}
	}
}
