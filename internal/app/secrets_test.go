package app_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
)

// exception is a place in which a kind of secret is meant to be, beside the answer that
// hands it out.
type exception struct{ kind, place, why string }

const (
	openly   = "registration tokens are kept in the clear, so that administrators can look them up and pass them on"
	typedIn  = "whoever came by the link with it has a form filled in with it, and again after a mistake"
	askedFor = "it is the address that asked for it"
	goesOn   = "a session goes on from answer to answer until all stages are passed"
	freed    = "SQLite leaves what is deleted in the file until the page is used again; by then it is used up"
)

var byDesign = []exception{
	{"registration token", "registration_tokens.token", openly},
	{"registration token", "users.registration_token", openly},
	{"registration token", "interactive_sessions.registration_token", openly},
	{"registration token", ofSQLite, openly},
	{"registration token", "POST /_synapse/admin/v1/registration_tokens/new", openly},
	{"registration token", "GET /admin/tokens", openly},
	{"registration token", "GET /admin/registrations", openly},
	{"registration token", "GET /register", typedIn},
	{"registration token", "POST /register", typedIn},
	{"link of the first administrator", "GET /admin/first", typedIn},
	{"link of the first administrator", "POST /admin/first", typedIn},
	{"user code", "GET /link", typedIn},
	{"user code", "Location of GET /link", "it is in the address, and so in the one to come back to after signing in; alone it lets nobody in"},
	{"TOTP secret", "POST /account/security/codes", "it is kept by nobody before the first code is right, so the page after a wrong one has it again"},
	{"mail token", resetLink, "the page asks whoever opened the link for their leave; its form has what the link has"},
	{"client_secret", resetLink, "likewise"},
	{"interactive session", "POST " + v3 + "/register", goesOn},
	{"login token", "Location of POST /sso", askedFor},
	{"authorization code", "Location of POST /oauth2/authorize", askedFor},
	{"mail token", ofSQLite, freed},
	{"client_secret", ofSQLite, freed},
	{"nonce", ofSQLite, freed},
	{"mailbox of devices", ofSQLite, freed},
}

const resetLink = "GET /_matrix/client/unstable/io.github.narthex-matrix/threepid/password/email/submitToken"

// story is a server with everything switched on, and what happens on it.
type story struct {
	town
	*eavesdropper
	t    *testing.T
	root *apitest.Client
	desk *apitest.Surfer // root's browser
}

const (
	sharedSecret = "planted shared secret"
	introspector = "planted introspection secret"
	rootPassword = "planted-password-of-root"
	alicesFirst  = "planted-password-of-alice-1"
	alicesSecond = "planted-password-of-alice-2"
	alicesThird  = "planted-password-of-alice-3"
	bobsPassword = "planted-password-of-bob"
	typo         = "planted-password-that-is-wrong"
	deviceGrant  = "urn:ietf:params:oauth:grant-type:device_code"
)

func everything(folder string) func(*config.Config) {
	return func(cfg *config.Config) {
		cfg.Data = folder
		cfg.Registration.SharedSecret, cfg.OAuth.IntrospectionSecret = sharedSecret, introspector
		cfg.Registration.RequireToken, cfg.Registration.AllowGuests = true, true
		cfg.Registration.RequiredThreepids = []string{"email", "msisdn"}
		cfg.Approval.Reason = "required"
		approving(cfg)
	}
}

// TestNoPlantedSecretIsKeptOrTold plays what people do with their secrets, right and
// wrong, and looks for the secrets in the database, the log, the messages, and every
// answer but the one that hands them out.
func TestNoPlantedSecretIsKeptOrTold(t *testing.T) {
	listener, front := eavesdrop(t)
	s := &story{t: t, eavesdropper: listener, town: newTown(t, everything(t.TempDir()), front)}
	listener.srv = s.Server
	s.URL = s.App.Config.PublicURL
	for _, secret := range []string{sharedSecret, introspector, s.App.Config.SMS.Webhook.Secret} {
		s.typed("secret of the configuration", secret)
	}
	for _, password := range []string{rootPassword, alicesFirst, alicesSecond, alicesThird, bobsPassword, typo} {
		s.typed("password", password)
	}
	s.beginsWithAnAdministrator()
	s.registersBySecret()
	s.registers()
	alice := s.logsInAndOn()
	s.addsAndBinds(alice)
	s.meetsDevices(alice)
	browser := s.signsInInTheBrowser()
	client := s.registersAClient()
	s.agreesToAClient(browser, client)
	s.agreesToADevice(browser, client)
	s.resetsThePassword()
	s.usesASecondFactor()

	s.Advance(time.Minute)
	s.RunJobs(t) // an outbox keeps a message until it is delivered
	mails, texts := s.mails.All(), s.phones.All()
	s.written(mails, texts)
	s.hasAll()
	s.look("log", []byte(s.Log.String()))
	s.lookAtDatabase()
	s.lookAtMessages(mails, texts)
	s.lookAtAnswers()
	s.lookAtFiles()
	s.metAllExceptions()
}

// hasAll holds that the story has had secrets of each kind.
func (s *story) hasAll() {
	s.t.Helper()
	had := map[string]int{}
	for _, p := range s.secrets {
		had[p.kind]++
	}
	want := []string{"password", "secret of the configuration", "registration token", "mail token", "SMS code", "client_secret", "one-time code"}
	for _, kind := range kinds {
		want = append(want, kind)
	}
	for kind := range shown {
		want = append(want, kind)
	}
	for _, kind := range want {
		if had[kind] == 0 {
			s.t.Errorf("there was no %s", kind)
		}
	}
	s.t.Logf("%d answers, and of secrets %v", len(s.answers), had)
}

func (s *story) post(path string, body any) *apitest.Response {
	s.t.Helper()
	return s.Anyone().Do(s.t, "POST", path, body)
}

// tokens are what an answer hands out.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Login   string `json:"login_token"`
}

func passwordLogin(user, password string) object {
	return object{"type": "m.login.password", "identifier": object{"type": "m.id.user", "user": user}, "password": password, "refresh_token": true}
}

func (s *story) logIn(user, password string) (got tokens) {
	s.t.Helper()
	s.post(v3+"/login", passwordLogin(user, password)).OK(s.t, &got)
	return got
}

func (s *story) as(token string) *apitest.Client {
	return &apitest.Client{Server: s.Server, Token: token}
}

func form(pairs ...string) url.Values {
	f := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Set(pairs[i], pairs[i+1])
	}
	return f
}
