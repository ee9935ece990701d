package e2ee_test

import (
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// TestClientsProbeForExtensions asks for what this server has not. Clients take
// M_UNRECOGNIZED for "not supported", and nothing else.
func TestClientsProbeForExtensions(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	var cases []apitest.Case
	for _, probe := range []struct{ method, path string }{
		{"GET", "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device"},
		{"PUT", "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device"},
		{"DELETE", "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device"},
		{"POST", "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/X/events"},
		{"GET", "/_matrix/client/unstable/org.matrix.msc2697.v2/dehydrated_device"},
		{"POST", "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync"},
		{"GET", "/_matrix/client/unstable/org.matrix.msc4143/rtc/transports"},
		{"POST", "/_matrix/client/unstable/keys/device_signing/upload"},
		{"POST", "/_matrix/client/unstable/keys/signatures/upload"},
		{"GET", "/_matrix/client/unstable/room_keys/version"},
	} {
		cases = append(cases, apitest.Case{Name: probe.method + probe.path, As: alice, Do: probe.method, Path: probe.path, Want: errcode.Unrecognized})
	}
	apitest.Run(t, cases)
}
