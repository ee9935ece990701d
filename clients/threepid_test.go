package clients_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
)

// TestMatrixJSSDKThirdPartyIDs plays somebody with a mail address and a phone number.
// The script asks for what has arrived there, and lets time pass.
func TestMatrixJSSDKThirdPartyIDs(t *testing.T) {
	needNode(t)
	mails, phones := apitest.NewMailbox(t), apitest.NewPhones(t)
	srv := apitest.New(t, mails.Configure, phones.Configure, func(cfg *config.Config) {
		cfg.Identity.Enabled = true
		cfg.Registration.RequiredThreepids = []string{"email"}
	})
	post := http.NewServeMux()
	post.HandleFunc("/received", func(w http.ResponseWriter, r *http.Request) {
		got := map[string]string{}
		if to := r.URL.Query().Get("to"); strings.HasPrefix(to, "+") {
			got["code"] = phones.Code(t, to)
		} else {
			link := mails.Last(t, to).Link(t, srv)
			u, err := url.Parse(link)
			if err != nil {
				t.Error(err)
				return
			}
			got["link"], got["token"] = srv.URL+link, u.Query().Get("token")
		}
		if err := json.NewEncoder(w).Encode(got); err != nil {
			t.Error(err)
		}
	})
	post.HandleFunc("/passes", func(_ http.ResponseWriter, r *http.Request) {
		seconds, err := strconv.Atoi(r.URL.Query().Get("seconds"))
		if err != nil {
			t.Error(err)
		}
		srv.Advance(time.Duration(seconds) * time.Second)
	})
	office := httptest.NewServer(post)
	defer office.Close()
	node(t, "threepid.mjs", "HOMESERVER_URL="+srv.URL, "POST_URL="+office.URL)
}
