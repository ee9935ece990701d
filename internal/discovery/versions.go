package discovery

import (
	"context"
	"maps"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// versions are those whose features clients switch on by number and find here:
// relations (v1.3), threads (v1.4), events by time (v1.6), recursive relations
// (v1.10). It ends before v1.11, from which on clients fetch media with their
// access token: that is not served yet. What is served of later versions is among
// the features, under the names that clients look for without the version.
var versions = []string{"v1.1", "v1.2", "v1.3", "v1.4", "v1.5", "v1.6", "v1.7", "v1.8", "v1.9", "v1.10"}

var unstableFeatures = map[string]bool{
	"org.matrix.msc3440.stable": true, // threads
	"org.matrix.msc3827.stable": true, // public rooms by type
	"org.matrix.msc3981":        true, // recursive relations
	"org.matrix.msc3030":        true, // events by time
	"org.matrix.msc3266":        true, // room summaries
	"org.matrix.msc4151":        true, // reports of rooms
	"uk.tcpip.msc4133.stable":   true, // profile fields
}

// features are those above and, where devices can meet here, the flag by which
// clients offer to sign in with a QR code (MSC4108). MSC4388 has none: its clients
// ask the endpoint itself.
func features(cfg config.Config) map[string]bool {
	out := maps.Clone(unstableFeatures)
	if cfg.Rendezvous.Enabled {
		out["org.matrix.msc4108"] = true
	}
	return out
}

type getVersionsResponse struct {
	Versions []string        `json:"versions"`
	Unstable map[string]bool `json:"unstable_features"`
}

func (s *Service) getVersions(context.Context, *httpapi.Call, noRequest) (getVersionsResponse, error) {
	return getVersionsResponse{versions, s.features}, nil
}
