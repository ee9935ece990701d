package rooms_test

import (
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestAliases(t *testing.T) {
	inEveryMode(t, func(t *testing.T, srv *apitest.Server) {
		h := newHouse(t, srv)
		root := srv.Administrator(t, "root")
		here := map[string]any{"room_id": h.ID}
		long := "#" + strings.Repeat("a", 255-len("#:narthex.test")) + ":narthex.test"
		for what, as := range h.outsiders() {
			apitest.Run(t, []apitest.Case{{Name: "RE-88 " + what, As: as, Do: "PUT", Path: alias("#hall:narthex.test"), Body: here, Want: errcode.NotJoined}})
		}
		apitest.Run(t, []apitest.Case{
			{Name: "RE-88 an unknown room", As: h.member, Do: "PUT", Path: alias("#hall:narthex.test"), Body: map[string]any{"room_id": nowhere}, Want: errcode.NotJoined},
			{Name: "RE-88 a member may", As: h.member, Do: "PUT", Path: alias("#hall:narthex.test"), Body: here},
			{Name: "RE-88 the alias is taken", As: h.creator, Do: "PUT", Path: alias("#hall:narthex.test"), Body: here, Want: errcode.AliasInUse},
			{Name: "RE-88 the alias is taken, and the caller not joined", As: h.left, Do: "PUT", Path: alias("#hall:narthex.test"), Body: here, Want: errcode.NotJoined},
			{Name: "the longest", As: h.member, Do: "PUT", Path: alias(long), Body: here},
			{Name: "too long", As: h.member, Do: "PUT", Path: alias(long[:1] + "a" + long[1:]), Body: here, Want: errcode.InvalidParam},
			{Name: "of another server", As: h.member, Do: "PUT", Path: alias("#hall:elsewhere.test"), Body: here, Want: errcode.InvalidParam},
			{Name: "no alias", As: h.member, Do: "PUT", Path: alias("hall"), Body: here, Want: errcode.InvalidParam},
			{Name: "no room", As: h.member, Do: "PUT", Path: alias("#other:narthex.test"), Body: `{}`, Want: errcode.MissingParam},
			{Name: "what is named is no room", As: h.member, Do: "PUT", Path: alias("#other:narthex.test"), Body: `{"room_id":"#x:y"}`, Want: errcode.InvalidParam},
			{Name: "anyone finds it", As: srv.Anyone(), Do: "GET", Path: alias("#hall:narthex.test"), Has: []string{string(h.ID), "narthex.test"}},
			{Name: "anyone does not find another", As: srv.Anyone(), Do: "GET", Path: alias("#nowhere:narthex.test"), Want: errcode.NotFound},
			{Name: "or what is none", As: srv.Anyone(), Do: "GET", Path: alias("nowhere"), Want: errcode.InvalidParam},
			{Name: "the room's", As: h.member, Do: "GET", Path: h.Path("/aliases"), Has: []string{"#hall:narthex.test"}},

			{Name: "RE-89 an unknown alias", As: h.member, Do: "DELETE", Path: alias("#nowhere:narthex.test"), Want: errcode.NotFound},
			{Name: "RE-89 not joined", As: h.stranger, Do: "DELETE", Path: alias("#hall:narthex.test"), Want: errcode.NotJoined},
			{Name: "RE-89 the creator of the alias", As: h.member, Do: "DELETE", Path: alias("#hall:narthex.test")},
			{Name: "RE-89 it is gone", As: h.member, Do: "DELETE", Path: alias("#hall:narthex.test"), Want: errcode.NotFound},
			{Name: "another", As: h.creator, Do: "PUT", Path: alias("#hall:narthex.test"), Body: here},
			{Name: "RE-89 below the level", As: h.member, Do: "DELETE", Path: alias("#hall:narthex.test"), Want: errcode.InsufficientPower},
			{Name: "RE-89 with the level", As: h.moderator, Do: "DELETE", Path: alias("#hall:narthex.test")},
			{Name: "a third", As: h.creator, Do: "PUT", Path: alias("#hall:narthex.test"), Body: here},
			{Name: "RE-89 an administrator of the server", As: root, Do: "DELETE", Path: alias("#hall:narthex.test")},
		})
	})
}
