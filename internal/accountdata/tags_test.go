package accountdata_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestTags(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	tags := path(alice, "/rooms/"+apitest.Escape(room)+"/tags")
	data := path(alice, "/rooms/"+apitest.Escape(room)+"/account_data/m.tag")
	apitest.Run(t, []apitest.Case{
		{Name: "none", As: alice, Do: "GET", Path: tags, Has: []string{`{"tags":{}}`}},
		{Name: "remove what is not there", As: alice, Do: "DELETE", Path: tags + "/u.x", Has: []string{`{}`}},
		{Name: "which leaves no account data", As: alice, Do: "GET", Path: data, Want: errcode.NotFound},
		{Name: "set", As: alice, Do: "PUT", Path: tags + "/m.favourite", Body: `{"order":0.25,"org.example.colour":"red"}`},
		{Name: "set another without an order", As: alice, Do: "PUT", Path: tags + "/u.Work%2Fhome", Body: `{}`},
		{Name: "list", As: alice, Do: "GET", Path: tags, Has: []string{`{"tags":{`, `"m.favourite":{"order":0.25,"org.example.colour":"red"}`, `"u.Work/home":{}`}},
		{Name: "as account data", As: alice, Do: "GET", Path: data, Has: []string{`{"tags":{"m.favourite":{"order":0.25,`}},
		{Name: "at the ends", As: alice, Do: "PUT", Path: tags + "/a", Body: `{"order":1}`},
		{Name: "replace", As: alice, Do: "PUT", Path: tags + "/a", Body: `{"order":0}`},
		{Name: "remove", As: alice, Do: "DELETE", Path: tags + "/m.favourite"},
		{Name: "list what is left", As: alice, Do: "GET", Path: tags, Has: []string{`"a":{"order":0}`, `"u.Work/home":{}`}, HasNot: []string{"m.favourite"}},

		{Name: "list another's", As: bob, Do: "GET", Path: tags, Want: errcode.Forbidden},
		{Name: "set another's", As: bob, Do: "PUT", Path: tags + "/a", Body: `{}`, Want: errcode.Forbidden},
		{Name: "remove another's", As: bob, Do: "DELETE", Path: tags + "/a", Want: errcode.Forbidden},

		{Name: "an order below 0", As: alice, Do: "PUT", Path: tags + "/b", Body: `{"order":-0.1}`, Want: errcode.InvalidParam},
		{Name: "an order above 1", As: alice, Do: "PUT", Path: tags + "/b", Body: `{"order":1.01}`, Want: errcode.InvalidParam},
		{Name: "an order beyond numbers", As: alice, Do: "PUT", Path: tags + "/b", Body: `{"order":1e999}`, Want: errcode.BadJSON},
		{Name: "an order that is no number", As: alice, Do: "PUT", Path: tags + "/b", Body: `{"order":"0.5"}`, Want: errcode.BadJSON},
		{Name: "an order that is null", As: alice, Do: "PUT", Path: tags + "/b", Body: `{"order":null}`, Want: errcode.BadJSON},
		{Name: "not JSON", As: alice, Do: "PUT", Path: tags + "/b", Body: `{`, Want: errcode.NotJSON},
		{Name: "too large", As: alice, Do: "PUT", Path: tags + "/b", Body: `{"x":"` + strings.Repeat("x", 4<<10) + `"}`, Want: errcode.TooLarge},
		{Name: "the longest name", As: alice, Do: "PUT", Path: tags + "/" + strings.Repeat("x", 255), Body: `{}`},
		{Name: "a longer name", As: alice, Do: "PUT", Path: tags + "/" + strings.Repeat("x", 256), Body: `{}`, Want: errcode.InvalidParam},
		{Name: "no room ID", As: alice, Do: "GET", Path: path(alice, "/rooms/kitchen/tags"), Want: errcode.InvalidParam},
		{Name: "no room ID to remove from", As: alice, Do: "DELETE", Path: path(alice, "/rooms/kitchen/tags/a"), Want: errcode.InvalidParam},

		{Name: "nonsense as account data", As: alice, Do: "PUT", Path: data, Body: `{"tags":[1]}`},
		{Name: "counts as no tags", As: alice, Do: "GET", Path: tags, Has: []string{`{"tags":{}}`}},
	})
}

func TestTagsHaveALimit(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf(`"t%d":{}`, i))
	}
	tags := path(alice, "/rooms/"+apitest.Escape(room)+"/tags/")
	apitest.Run(t, []apitest.Case{
		{Name: "a hundred", As: alice, Do: "PUT", Path: path(alice, "/rooms/"+apitest.Escape(room)+"/account_data/m.tag"), Body: `{"tags":{` + strings.Join(many, ",") + `}}`},
		{Name: "one more", As: alice, Do: "PUT", Path: tags + "more", Body: `{}`, Want: errcode.InvalidParam},
		{Name: "one of them again", As: alice, Do: "PUT", Path: tags + "t7", Body: `{"order":0.5}`},
	})
}

func TestTagsSetAtOnceAreAllKept(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	tags := path(alice, "/rooms/"+apitest.Escape(room)+"/tags")
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			resp, err := alice.Try(t.Context(), "PUT", fmt.Sprintf("%s/t%d", tags, i), `{}`)
			if err != nil || resp.Status != 200 {
				t.Errorf("tag %d: %v %v", i, resp, err)
			}
		})
	}
	group.Wait()
	var got struct{ Tags map[string]any }
	alice.Do(t, "GET", tags, nil).OK(t, &got)
	if len(got.Tags) != 8 {
		t.Errorf("got %d tags, want 8: %v", len(got.Tags), got.Tags)
	}
}
