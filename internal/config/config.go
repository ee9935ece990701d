package config

// A Config is the whole configuration. What each key means is in docs.go, and
// from there in docs/reference/config.md. The key tag is the key's last name in
// the file, secret marks what is never shown, and oneof lists the only texts
// allowed.
type Config struct {
	// Dev is set by the flag --dev and is no key: it relaxes what is only safe
	// on one's own machine, and so Check refuses it for any other address.
	Dev bool

	ServerName     string   `key:"server_name"`
	PublicURL      string   `key:"public_url"`
	Listen         []string `key:"listen"`
	Data           string   `key:"data"`
	Database       string   `key:"database"`
	TrustedProxies []string `key:"trusted_proxies"`
	Proposals      string   `key:"proposals" oneof:"unstable,stable"`

	Log          Log          `key:"log"`
	Metrics      Metrics      `key:"metrics"`
	Registration Registration `key:"registration"`
	Login        Login        `key:"login"`
	OAuth        OAuth        `key:"oauth"`
	Rendezvous   Rendezvous   `key:"rendezvous"`
	Approval     Approval     `key:"approval"`
	Notices      Notices      `key:"notices"`
	MSC3848      MSC3848      `key:"msc3848"`
	RateLimits   RateLimits   `key:"rate_limits"`
	Limits       Limits       `key:"limits"`
	Rooms        Rooms        `key:"rooms"`
	Presence     Presence     `key:"presence"`
	WellKnown    WellKnown    `key:"well_known"`
	Support      Support      `key:"support"`
	Mail         Mail         `key:"mail"`
	SMS          SMS          `key:"sms"`
	Threepid     Threepid     `key:"threepid"`
	Identity     Identity     `key:"identity"`
	Outbound     Outbound     `key:"outbound"`
	SSO          SSO          `key:"sso"`
}

// Log holds the keys log.*.
type Log struct {
	Level  string `key:"level" oneof:"debug,info,warn,error"`
	Format string `key:"format" oneof:"text,json"`
}

// Metrics holds the keys metrics.*.
type Metrics struct {
	Listen string `key:"listen"` // empty: no metrics
}

// Registration holds the keys registration.*.
type Registration struct {
	Enabled      bool   `key:"enabled"`
	SharedSecret string `key:"shared_secret" secret:"true"` // empty: the endpoint is off
	RequireToken bool   `key:"require_token"`
	// RequiredThreepids are the media, "email" and "msisdn", of which a new account
	// needs an address each.
	RequiredThreepids []string `key:"required_threepids"`
	// OptionalThreepids are the media of which people are asked for an address, too,
	// and may leave it out.
	OptionalThreepids []string `key:"optional_threepids"`
	AllowGuests       bool     `key:"allow_guests"`
	Terms             Terms    `key:"terms"`
}

// Terms holds the keys registration.terms.*.
type Terms struct {
	URL     string `key:"url"` // empty: no terms to accept
	Name    string `key:"name"`
	Version string `key:"version"`
}

// Login holds the keys login.*.
type Login struct {
	AccessTokenLifetime Duration     `key:"access_token_lifetime"`
	LoginTokenLifetime  Duration     `key:"login_token_lifetime"`
	Password            Password     `key:"password"`
	SecondFactor        SecondFactor `key:"second_factor"`
}

// Password holds the keys login.password.*.
type Password struct {
	MaxConcurrentHashes int `key:"max_concurrent_hashes"`
	MinLength           int `key:"min_length"` // in characters
}

// SecondFactor holds the keys login.second_factor.*.
type SecondFactor struct {
	Required string `key:"required" oneof:"none,administrators,everyone"`
	KeyFile  string `key:"key_file"` // empty: in the folder Data
}

// OAuth holds the keys oauth.*.
type OAuth struct {
	Enabled             bool     `key:"enabled"`
	AccessTokenLifetime Duration `key:"access_token_lifetime"`
	DeviceCodeLifetime  Duration `key:"device_code_lifetime"`
	IntrospectionSecret string   `key:"introspection_secret" secret:"true"` // empty: the endpoint is off
}

// Rendezvous holds the keys rendezvous.* (MSC4108 and MSC4388).
type Rendezvous struct {
	Enabled bool `key:"enabled"`
	// DeniedNetworks may begin no meeting.
	DeniedNetworks []string `key:"denied_networks"`
	Mode           string   `key:"mode" oneof:"off,authenticated,open"` // of MSC4388 alone
	DelegateTo     string   `key:"delegate_to"`                         // empty: nowhere
	StablePaths    bool     `key:"stable_paths"`
	Lifetime       Duration `key:"lifetime"`
	MaxPayload     int      `key:"max_payload"` // in bytes
}

// Approval holds the keys approval.* (MSC3866).
type Approval struct {
	Enabled                bool     `key:"enabled"`
	RequiredForNewAccounts bool     `key:"required_for_new_accounts"` // without effect unless Enabled
	Errcode                string   `key:"errcode" oneof:",unstable,stable,seed"`
	NotifyEmail            bool     `key:"notify_email"`
	NotifyAdmins           []string `key:"notify_admins"`
	Reason                 string   `key:"reason" oneof:"off,optional,required"`
	PendingTTL             Duration `key:"pending_ttl"` // zero: never
}

// MSC3848 holds the keys msc3848.*.
type MSC3848 struct {
	Mode string `key:"mode" oneof:",unstable,stable,off"`
}

// RateLimits holds the keys rate_limits.*: one budget for each class of
// endpoints.
type RateLimits struct {
	Enabled      bool `key:"enabled"`
	Cheap        Rate `key:"cheap"`
	Sending      Rate `key:"sending"`
	Login        Rate `key:"login"`
	Registration Rate `key:"registration"`
	Validation   Rate `key:"validation"`
	Expensive    Rate `key:"expensive"`
	// Devices is how many devices' budgets all devices of a user have together.
	Devices int `key:"devices"`
	// Address is for all that comes from an address, before its token is looked at.
	Address Rate `key:"address"`
}

// A Rate is a token bucket: Burst requests at once, and PerSecond more in each
// second.
type Rate struct {
	PerSecond float64 `key:"per_second"`
	Burst     int     `key:"burst"`
}

// Rooms holds the keys rooms.*.
type Rooms struct {
	DefaultVersion  string `key:"default_version" oneof:"1,2,3,4,5,6,7,8,9,10,11,12"`
	PublicDirectory bool   `key:"public_directory"`
}

// Presence holds the keys presence.*.
type Presence struct {
	Enabled bool `key:"enabled"`
}

// WellKnown holds the keys well_known.*.
type WellKnown struct {
	ClientBaseURL string `key:"client_base_url"`
	Server        string `key:"server"`
}

// Support holds the keys support.*, the answer of /.well-known/matrix/support.
type Support struct {
	AdminContactEmail    string `key:"admin_contact_email"`
	AdminContactMatrixID string `key:"admin_contact_matrix_id"`
	Page                 string `key:"page"`
}

// Development returns what Default does, for a server on which somebody tries things
// out: nobody waits for approval, and nobody is told to slow down.
func Development() Config {
	cfg := Default()
	cfg.Approval.RequiredForNewAccounts, cfg.RateLimits.Enabled, cfg.Dev = false, false, true
	return cfg
}

// Default returns the configuration of a server that was given none: reachable
// from this machine alone, where people can register and wait for approval.
func Default() Config {
	return Config{
		ServerName:     "localhost",
		Listen:         []string{"127.0.0.1:8008"},
		Data:           "./narthex-data",
		TrustedProxies: []string{},
		Log:            Log{Level: "info", Format: "text"},
		Registration:   Registration{Enabled: true, RequiredThreepids: []string{}, OptionalThreepids: []string{}, Terms: Terms{Name: "Terms of Service", Version: "1.0"}},
		Login: Login{
			AccessTokenLifetime: hour,
			LoginTokenLifetime:  2 * minute,
			Password:            Password{MaxConcurrentHashes: 2, MinLength: 8},
			SecondFactor:        SecondFactor{Required: "none"},
		},
		OAuth:      OAuth{Enabled: true, AccessTokenLifetime: 5 * minute, DeviceCodeLifetime: 20 * minute},
		Rendezvous: Rendezvous{Enabled: true, DeniedNetworks: []string{}, Mode: "authenticated", StablePaths: true, Lifetime: 5 * minute, MaxPayload: 10 << 10},
		Approval:   Approval{Enabled: true, RequiredForNewAccounts: true, NotifyEmail: true, NotifyAdmins: []string{NotifyByMail, NotifyByNotice}, Reason: "optional"},
		Notices:    defaultNotices(),
		Proposals:  "unstable",
		RateLimits: RateLimits{
			Enabled:      true,
			Cheap:        Rate{PerSecond: 50, Burst: 200},
			Sending:      Rate{PerSecond: 10, Burst: 50},
			Login:        Rate{PerSecond: 0.5, Burst: 5},
			Registration: Rate{PerSecond: 0.2, Burst: 5},
			Validation:   Rate{PerSecond: 0.1, Burst: 3},
			Expensive:    Rate{PerSecond: 2, Burst: 10},
			Devices:      5,
			Address:      Rate{PerSecond: 500, Burst: 5000},
		},
		Limits:   defaultLimits(),
		Rooms:    Rooms{DefaultVersion: "12", PublicDirectory: true},
		Presence: Presence{Enabled: true},
		Mail:     defaultMail(),
		SMS:      defaultSMS(),
		Threepid: defaultThreepid(),
		Identity: defaultIdentity(),
		Outbound: Outbound{AllowedNetworks: []string{}},
		SSO:      SSO{Providers: []Provider{}},
	}
}
