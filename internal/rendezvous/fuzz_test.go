package rendezvous

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// FuzzRZ24_EntityTag holds that a tag is accepted only as it is written, in quotes
// and alone.
func FuzzRZ24_EntityTag(f *testing.F) {
	for _, seed := range []string{"", `""`, `"a"`, `W/"a"`, "*", `"a","b"`, `"a" `, "\"\x7f\"", `"é"`, `"a\"b"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		tag, err := entityTag(http.Header{"If-Match": {value}}, "If-Match")
		if err != nil {
			if !errors.Is(err, errcode.InvalidParam) || tag != "" {
				t.Errorf("%q: %q, %v", value, tag, err)
			}
			return
		}
		if value != `"`+tag+`"` || tag == "" || strings.ContainsAny(tag, "\" \t\r\n") {
			t.Errorf("%q was read as %q", value, tag)
		}
	})
}

// FuzzZ27_Body holds that a body is refused by a code of the table, or read as any
// other reader of JSON reads it.
func FuzzZ27_Body(f *testing.F) {
	for _, seed := range []string{`{"data":""}`, `{"data":"\u00e9\ud83d\ude00"}`, `{"data":"\ud800"}`, `{"Data":"x"}`, `{"data":1}`, `{}`, `[]`, `{"data":"a","data":"b"}`, "", "\xff", `{"data":null}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(string(body)))
		req, err := httpapi.Bind[createRequest](r, maxBody)
		var data []byte
		if err == nil {
			data, err = message(req.Data)
		}
		if err != nil {
			var e *errcode.Error
			if !errors.As(err, &e) || e.Code.Status != 400 && e.Code.Status != 413 {
				t.Errorf("%q: %v", body, err)
			}
			return
		}
		var other map[string]json.RawMessage
		var want string
		if err := json.Unmarshal(body, &other); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		if err := json.Unmarshal(other["data"], &want); err != nil || want != string(data) || len(data) > maxData || !utf8.Valid(data) {
			t.Errorf("%q was read as %q, want %q, %v", body, data, want, err)
		}
	})
}
