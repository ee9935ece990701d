package config

// docs says what each key does, for the default file and the reference. It may
// use backquoted code, and each text is one paragraph of whole sentences.
var docs = map[string]string{
	"server_name": "The name of the server, the part after the colon in user and room names. " +
		"It is a host name, with a port only if other servers reach it there. " +
		"It cannot be changed once the first account exists.",
	"public_url": "Where clients and browsers reach the server, such as `https://matrix.example.org`. " +
		"Empty means the first address of `listen`, over plain HTTP.",
	"listen": "The addresses to accept requests on, each as host:port. " +
		"Without a host the server accepts requests from everywhere; put a proxy with TLS before it then.",
	"data": "The folder for all that the server keeps: the database unless it is elsewhere, media and keys. " +
		"It is created if it does not exist.",
	"database": "The path of an SQLite file, or the URL of a PostgreSQL database, such as " +
		"`postgres://narthex:password@localhost/narthex`. Empty means `narthex.db` in the folder `data`.",
	"trusted_proxies": "The networks, such as `10.0.0.0/8`, whose `X-Forwarded-For` header is believed. " +
		"Name only your own proxies here: whoever is named can claim any address.",

	"log.level":  "The least important messages that are logged.",
	"log.format": "Whether a line of the log is made for people (`text`) or for programs (`json`).",

	"metrics.listen": "An address, as host:port, that serves `/metrics`, `/healthz`, `/readyz` and Go's profiles under `/debug/pprof/`. " +
		"Empty means none. Keep it away from the public.",

	"registration.enabled": "Whether anybody may create an account. It then waits for an administrator, unless `approval.required_for_new_accounts` is false.",
	"registration.shared_secret": "A secret that lets scripts create accounts, administrators included, without a token, " +
		"by Synapse's shared-secret registration. Empty switches that off.",
	"registration.require_token": "Whether creating an account takes a registration token from an administrator.",
	"registration.required_threepids": "What a new account needs: a mail address (`email`), a phone number (`msisdn`), or both. " +
		"Each is validated by a message that is sent there.",
	"registration.optional_threepids": "What people are asked for when they create an account, and may leave out: `email`, `msisdn`, or both. " +
		"What they give is validated by a message, too.",
	"registration.allow_guests": "Whether guests may use the server without an account.",
	"registration.terms.url": "The address of the terms that a new user has to accept. " +
		"Empty means that there are none.",
	"registration.terms.name":    "What the terms are called.",
	"registration.terms.version": "The version of the terms.",

	"login.access_token_lifetime": "How long an access token is valid for a client that asked for a refresh token. " +
		"Tokens of other clients are valid until they sign out.",
	"login.login_token_lifetime": "How long a login token, which signs in one client with the help of another, is valid.",
	"login.password.max_concurrent_hashes": "How many passwords are checked at the same time. " +
		"Each takes a processor core for a moment, and 19 MiB of memory; further ones wait.",
	"login.password.min_length": "The least number of characters of a new password.",

	"login.second_factor.required": "Who has to have a second factor, a passkey or one-time codes, beside the password: nobody (`none`), " +
		"server administrators, or everyone. Who has none is led to set one up at the next sign-in, before anything else.",
	"login.second_factor.key_file": "The file with the key that the secrets of one-time codes are encrypted with in the database. " +
		"It is made when the first is needed. Empty means `second-factor.key` in the folder `data`. Replicas need the same file.",

	"oauth.enabled": "Whether clients can sign in by OAuth 2.0, in the browser or with a QR code. " +
		"Most clients want `public_url` to begin with https:// for it.",
	"oauth.access_token_lifetime": "How long an access token of an OAuth 2.0 client is valid. The client renews it by itself.",
	"oauth.device_code_lifetime":  "How much time people have to approve a device that shows them a code.",
	"oauth.introspection_secret": "A secret that your own services show, as `client_secret`, to ask whom an access token belongs to. " +
		"Empty switches that off.",

	"rendezvous.enabled": "Whether two devices can meet through this server to sign in one of them with a QR code.",
	"rendezvous.denied_networks": "Networks, such as `203.0.113.0/24`, from which nobody may begin a meeting: those of servers that would use it to " +
		"smuggle data out, for example. Devices there can still join one.",
	"rendezvous.mode": "Who may begin such a meeting by the newer protocol (MSC4388): nobody (`off`), users of this server " +
		"(`authenticated`), or everybody (`open`). The older protocol (MSC4108), which clients use today, knows no users.",
	"rendezvous.delegate_to": "The address of another server, such as `https://rendezvous.example.org/create`, that devices " +
		"of the older protocol are sent to. Empty means that they meet here.",
	"rendezvous.stable_paths": "Whether the meeting place is also served under the paths that it is to have in the specification.",
	"rendezvous.lifetime": "How long a device waits for the other one. In the older protocol each message makes it longer, " +
		"up to twice as long in all.",
	"rendezvous.max_payload": "The largest message, in bytes, that the older protocol takes. The newer one takes 4096 bytes.",

	"approval.enabled": "Whether an administrator can hold accounts back until they are approved (MSC3866).",
	"approval.required_for_new_accounts": "Whether a new account has to be approved before its first sign-in. " +
		"It has no effect unless `approval.enabled` is true.",
	"approval.errcode": "How the error for an account that awaits approval is spelled: as in the proposal (`unstable`, " +
		"what Synapse sends), as in the specification to come (`stable`), or as in the proposal's first version (`seed`). " +
		"Empty means as `proposals` says.",
	"approval.notify_email": "Whether people are told by mail that their account is approved or refused, if they gave an address.",
	"approval.notify_admins": "How administrators are told that accounts wait, once an hour at most: by `mail`, if they have a mail address and mails can be sent, " +
		"and by `notice`, a message in a room of their own. Empty means that nobody tells them.",
	"approval.reason": "Whether people who make an account are asked why they want to join: not at all (`off`), only if they like to say (`optional`), " +
		"or so that nobody who does not say can register (`required`). An app gives the answer in the member " +
		"`io.github.narthex-matrix.reason` of its request; most apps cannot, and people then have to use the web page.",
	"approval.pending_ttl": "After what time an account that nobody approved is denied. 0 means never.",

	"notices.localpart": "The username of the account in whose name the server speaks to its users. It is made when it is first needed, nobody can sign in to it, " +
		"and nobody else can have the name.",
	"notices.name":   "What this account, and the room in which it speaks to somebody, are called.",
	"notices.return": "Whether somebody who has left that room is invited to it again when there is something to say.",

	"proposals": "How errors are spelled that are proposed but not yet part of the specification: with the proposal's " +
		"own prefix (`unstable`), or as the proposal wants them in the end (`stable`).",
	"msc3848.mode": "How errors say more exactly why something in a room is forbidden (MSC3848): with the proposal's own " +
		"prefix (`unstable`), as the proposal wants them in the end (`stable`), or not at all (`off`). " +
		"Empty means as `proposals` says.",

	"rate_limits.enabled":                 "Whether requests are limited at all. Switch this off for tests only.",
	"rate_limits.cheap.per_second":        "Requests a second that one device, or one address without an account, may make for plain reading.",
	"rate_limits.cheap.burst":             "How many of these may come at once.",
	"rate_limits.sending.per_second":      "Requests a second that one device may make to send or change something.",
	"rate_limits.sending.burst":           "How many of these may come at once.",
	"rate_limits.login.per_second":        "Attempts a second to sign in from one address.",
	"rate_limits.login.burst":             "How many of these may come at once.",
	"rate_limits.registration.per_second": "Attempts a second to create an account, or to make an app known, from one address.",
	"rate_limits.registration.burst":      "How many of these may come at once.",
	"rate_limits.validation.per_second":   "Requests a second that make the server send a code or a link to somebody.",
	"rate_limits.validation.burst":        "How many of these may come at once.",
	"rate_limits.expensive.per_second":    "Requests a second for what takes the server long, such as a search.",
	"rate_limits.expensive.burst":         "How many of these may come at once.",

	"rate_limits.devices": "How many times the budget of one device all devices of a user have together.",
	"rate_limits.address.per_second": "Requests a second from one address, whoever makes them: what comes faster is refused before its access token is looked at. " +
		"Many people may share an address. It does not count for addresses of this machine and of `trusted_proxies`.",
	"rate_limits.address.burst": "How many of these may come at once.",

	"limits.max_connections": "How many network connections the server keeps open. Further ones wait until one closes.",
	"limits.concurrency": "How many requests of one kind are worked on at once: sending, reading, and long polls have so many each, signing in half of it, " +
		"and what takes long, such as a search, an eighth. Further ones wait for their turn. While they wait too long, those that matter least are refused with status 503. " +
		"0 means without a limit, for measurements only.",
	"limits.queue":         "How many requests of one kind wait for their turn. Long polls do not count.",
	"limits.queue_timeout": "How long one of them waits at most.",
	"limits.room_queue":    "How many requests wait to write to the same room. Further ones are refused with status 429.",

	"rooms.default_version":  "The version of a new room whose creator asks for none.",
	"rooms.public_directory": "Whether everybody may publish a room in the room directory, or administrators alone.",

	"presence.enabled": "Whether users see who else is online.",

	"well_known.client_base_url": "The address that `/.well-known/matrix/client` gives to clients. " +
		"Empty means `public_url`.",
	"well_known.server": "The host, with a port if it is not 8448, that `/.well-known/matrix/server` gives to other servers. " +
		"Empty means that there is no such answer.",

	"support.admin_contact_email":     "The mail address of whoever runs the server, for `/.well-known/matrix/support`.",
	"support.admin_contact_matrix_id": "The Matrix user, such as `@admin:example.org`, to ask for help.",
	"support.page":                    "A page with help for the users of this server.",

	"mail.from": "Whom mails come from: an address such as `narthex@example.org`, with a name before it if you like, " +
		"as in `Example Chat <narthex@example.org>`.",
	"mail.smtp.host": "The mail server that takes mails and sends them on. Empty means that this server sends no mail, " +
		"and that nobody can use a mail address with it.",
	"mail.smtp.port": "The port of the mail server. 0 means the usual one: 587 for `starttls`, 465 for `implicit`, 25 for `none`.",
	"mail.smtp.tls": "How the connection is encrypted: by the command STARTTLS (`starttls`), from its beginning (`implicit`), " +
		"or not at all (`none`). Encryption that is asked for is never given up: a server that does not offer it gets no mail.",
	"mail.smtp.username": "The user name for the mail server. Empty means that it asks for none.",
	"mail.smtp.password": "The password for the mail server.",
	"mail.templates": "A folder with your own texts of mails. A file there takes the place of the one inside the program that has " +
		"the same name; `narthex mail templates` writes them all. Empty means the texts inside the program.",

	"sms.webhook.url": "The address of a gateway that is sent each text message as JSON, signed with `sms.webhook.secret`; " +
		"docs/operating/mail-and-sms.md describes it. Empty means that there is none.",
	"sms.webhook.secret":     "The secret that the gateway checks signatures with.",
	"sms.twilio.account_sid": "The id of an account at Twilio, or at a gateway with the same interface. Empty means that it is not used.",
	"sms.twilio.auth_token":  "The token of that account.",
	"sms.twilio.from":        "The number or name that messages come from; or the id of a messaging service, which begins with MG.",
	"sms.twilio.url":         "The address of the gateway.",
	"sms.countries": "The countries that text messages are sent to, by their codes of two letters, such as `DE` and `US`. " +
		"Empty means none: messages to some countries cost so much that thieves make servers send them.",
	"sms.price":              "What one message costs, in your currency.",
	"sms.prices":             "What a message to one country costs, if it is another price, such as `DE=0.08`.",
	"sms.limits.per_number":  "How many messages one number may get within 24 hours.",
	"sms.limits.per_country": "How many messages may go to one country within 24 hours.",
	"sms.limits.per_day":     "How many messages may be sent within 24 hours.",
	"sms.limits.spend":       "How much all messages within 24 hours may cost. After that none is sent. 0 means that none is sent at all.",

	"threepid.token_lifetime": "How long the link in a mail is valid.",
	"threepid.code_lifetime":  "How long a code of six digits is valid.",
	"threepid.hide_existence": "Whether nobody learns from this server if somebody uses a mail address or phone number here. " +
		"People who type a wrong one are then not told so.",
	"threepid.next_link_hosts": "The hosts that people may be led to after they opened the link in a mail. " +
		"Empty means the host of `public_url`.",
	"threepid.allow_changes": "Whether people can add mail addresses and phone numbers to their account, and remove them.",
	"threepid.trusted_identity_servers": "The identity servers, such as `id.example.org`, that clients may name. " +
		"This server has them publish addresses for its users, looks up whom to invite there, and has addresses taken back. It refuses requests that name others.",
	"threepid.allowed_addresses": "The mail addresses and phone numbers that people may use, as patterns such as `*@example.org` or `+49*`. " +
		"Empty means all.",

	"identity.enabled": "Whether the server is an identity service too, by which people are found by their mail address or phone number. " +
		"It asks for `mail` or `sms`, since people have to prove that an address is theirs.",
	"identity.terms": "The documents that users of the identity service have to accept. Each entry is an id, a version, a language, an address and a name, " +
		"such as `terms_of_service 1.0 en https://example.org/terms-1.0-en Terms of Service`. " +
		"Entries of one id are one document in several languages. A changed document needs another address.",
	"identity.allowed_servers": "The homeservers whose users may use the identity service. Empty means all.",
	"identity.pepper_lifetime": "How long the pepper lives that clients mix into the addresses that they look up.",
	"identity.plain_lookup": "Whether clients may also look up addresses in plain text. Clients send the whole address book then; " +
		"leave it off unless all of your clients need it.",
	"identity.web_client": "The address of a web client, such as `https://app.example.org`, that the mail of an invitation leads to. " +
		"Empty means the account page of this server; the identity service alone has none, and needs an address here if it sends mails.",

	"sso.providers": "OpenID Connect providers that people can sign in with. Each entry has keys of its own; they stand in the file alone. " +
		"A provider sends people back to `/sso/callback/` and the id of its entry, below `public_url`: register that address with it.",
	"sso.providers.id":   "The name of the entry in addresses: small letters, digits, `-` and `_`. Accounts are linked to it, so it is not to be changed.",
	"sso.providers.name": "What the provider is called on buttons, such as `Example Login`.",
	"sso.providers.brand": "A well-known name that clients have a picture for, such as `github` or `google`. " +
		"Empty means none.",
	"sso.providers.icon": "A picture for the button: a file that ends in .png, .svg, .jpg or .webp. Empty means none.",
	"sso.providers.issuer": "The address that the provider calls itself. Everything else about it is discovered there. " +
		"One in a private network takes `outbound.allowed_networks`, and one with a certificate of your own `outbound.authorities`.",
	"sso.providers.client_id":     "The name under which this server is registered with the provider.",
	"sso.providers.client_secret": "The secret that goes with it. Empty means that the provider gave none.",
	"sso.providers.token_auth":    "How the secret is sent: in a header (`basic`), in the form (`post`), or as the provider says that it prefers (`auto`).",
	"sso.providers.scopes":        "What the provider is asked to tell about people.",
	"sso.providers.userinfo":      "Whether the provider is also asked at its userinfo endpoint, because the ID token does not hold all claims that are needed.",
	"sso.providers.subject_claim": "The claim that never changes for a person and is never given to another: an account is linked by it.",
	"sso.providers.localpart": "What username to suggest for a new account: a template over the claims of the provider, such as `{{before \"@\" .email}}`. " +
		"A new account gets that name if it is free and allowed; otherwise the person chooses.",
	"sso.providers.displayname":  "The display name of a new account: a template. Empty means none.",
	"sso.providers.email":        "The mail address of a new account: a template. It is used only where the provider says that it has verified it.",
	"sso.providers.ask_username": "Whether people choose the username of a new account in any case.",
	"sso.providers.link": "How a person whom the provider vouches for is matched with an account that exists already. " +
		"`none`: the person links it on the account page. `by_email`: also by a verified mail address that the account has confirmed; " +
		"whoever runs the provider can then sign in to every account that has a mail address.",
	"sso.providers.allow_registration": "Whether somebody without an account gets one. It does not depend on `registration.enabled`.",
	"sso.providers.require": "What the claims have to say of everybody who signs in, such as `groups contains staff` or `email_verified is true`. " +
		"All entries have to hold.",

	"outbound.allowed_networks": "Networks, such as `10.1.0.0/16`, that the server may reach although they are not public, because other servers of yours are there. " +
		"Without them it never connects to a private address, whatever name leads there.",
	"outbound.authorities": "A file with certificates in PEM form of further authorities that other servers' certificates may come from. " +
		"Empty means those of the system alone.",
}
