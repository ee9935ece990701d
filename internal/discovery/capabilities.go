package discovery

import (
	"context"

	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

type capability struct {
	Enabled bool `json:"enabled"`
}

type roomVersions struct {
	Default   string            `json:"default"`
	Available map[string]string `json:"available"`
}

type accountModeration struct {
	Suspend bool `json:"suspend"`
	Lock    bool `json:"lock"`
}

type capabilities struct {
	ChangePassword capability   `json:"m.change_password"`
	RoomVersions   roomVersions `json:"m.room_versions"`
	SetDisplayName capability   `json:"m.set_displayname"`
	SetAvatarURL   capability   `json:"m.set_avatar_url"`
	ThreepidChange capability   `json:"m.3pid_changes"`
	GetLoginToken  capability   `json:"m.get_login_token"`
	ProfileFields  capability   `json:"m.profile_fields"`
	// Moderation is there for administrators only.
	Moderation *accountModeration `json:"m.account_moderation,omitzero"`
}

type getCapabilitiesResponse struct {
	Capabilities capabilities `json:"capabilities"`
}

func (s *Service) getCapabilities(_ context.Context, call *httpapi.Call, _ noRequest) (getCapabilitiesResponse, error) {
	available := map[string]string{}
	for _, v := range event.Versions() {
		available[v.ID] = "stable"
	}
	account, everyone := capability{Enabled: !call.Guest}, capability{Enabled: true}
	var moderation *accountModeration
	if call.Admin {
		moderation = &accountModeration{Suspend: true, Lock: true}
	}
	return getCapabilitiesResponse{capabilities{
		ChangePassword: account,
		RoomVersions:   roomVersions{s.cfg.Rooms.DefaultVersion, available},
		SetDisplayName: everyone,
		SetAvatarURL:   account,
		ThreepidChange: capability{Enabled: s.changesThreepids(call)},
		GetLoginToken:  account,
		ProfileFields:  account,
		Moderation:     moderation,
	}}, nil
}

// changesThreepids reports whether the requester can add mail addresses and phone
// numbers to the account.
func (s *Service) changesThreepids(call *httpapi.Call) bool {
	return s.cfg.Threepid.AllowChanges && (s.cfg.SendsMail() || s.cfg.SendsText()) && !call.Guest && call.ClientID == ""
}
