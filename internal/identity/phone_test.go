package identity_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// gateway takes text messages, or refuses them.
func gateway(t *testing.T, status int) (func(*config.Config), func() string) {
	t.Helper()
	texts := make(chan string, 10)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var message struct{ Text string }
		if err := json.NewDecoder(r.Body).Decode(&message); err != nil {
			t.Error(err)
		}
		texts <- message.Text
		w.WriteHeader(status)
	}))
	t.Cleanup(web.Close)
	configure := func(c *config.Config) {
		c.SMS.Webhook = config.SMSWebhook{URL: web.URL, Secret: "a secret of the gateway"}
		c.SMS.Countries = []string{"GB"}
	}
	return configure, func() string { return <-texts }
}

func number(country, number string) apitest.Object {
	return apitest.Object{"client_secret": secret, "country": country, "phone_number": number, "send_attempt": 1}
}

func TestTP2_TP94_APhoneNumber(t *testing.T) {
	configure, text := gateway(t, http.StatusOK)
	s := start(t, configure)
	alice := s.user(t, "alice")
	var got struct {
		SID, MSISDN string
		Success     bool
		Format      string `json:"intl_fmt"`
	}
	alice.Do(t, "POST", v2+"/validate/msisdn/requestToken", number("GB", "07400 123456")).OK(t, &got)
	if !got.Success || got.MSISDN != "447400123456" || got.Format == "" {
		t.Errorf("got %+v", got)
	}
	code := regexp.MustCompile(`\b\d{6}\b`).FindString(text())
	alice.Do(t, "POST", v2+"/validate/msisdn/submitToken", apitest.Object{"sid": got.SID, "client_secret": secret, "token": code}).OK(t, nil)
	alice.Do(t, "POST", v2+"/3pid/bind", apitest.Object{"sid": got.SID, "client_secret": secret, "mxid": alice.UserID}).OK(t, nil)
	pepper := s.details(t, alice).Pepper
	known := hash("447400123456", "msisdn", pepper)
	if found := s.lookup(t, alice, "sha256", pepper, known); found[known] != string(alice.UserID) {
		t.Errorf("got %v", found)
	}
}

func TestTP46_AMessageThatIsRefused(t *testing.T) {
	configure, _ := gateway(t, http.StatusBadRequest)
	s := start(t, configure)
	s.user(t, "alice").Do(t, "POST", v2+"/validate/msisdn/requestToken", number("GB", "07400 123456")).Fails(t, s.Server, errcode.SendError)
}

func TestTP47_ACountryThatIsNotServed(t *testing.T) {
	configure, _ := gateway(t, http.StatusOK)
	s := start(t, configure)
	s.user(t, "alice").Do(t, "POST", v2+"/validate/msisdn/requestToken", number("DE", "01512 3456789")).Fails(t, s.Server, errcode.DestinationRejected)
}
