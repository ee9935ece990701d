-- The schema, as the steps that make it: generated from internal/db/migrations.
-- A line that ends in "-- only: sqlite" or "-- only: postgres" is for that engine alone.
-- A table is named in the SQL of its owner and of no other package.

-- Step 1: stream
-- Owner: db. One counter of positions for everything that a reader can wait for.
CREATE TABLE stream (
    pos BIGINT NOT NULL
);
INSERT INTO stream (pos) VALUES (1);

-- Step 2: jobs
-- Owner: jobs.
CREATE TABLE jobs (
    kind     TEXT   NOT NULL,
    id       TEXT   NOT NULL,
    payload  BYTEA  NOT NULL,
    run_ts   BIGINT NOT NULL, -- not before
    attempts BIGINT NOT NULL,
    lease_ts BIGINT NOT NULL, -- somebody works it until then
    PRIMARY KEY (kind, id)
);
CREATE INDEX jobs_run ON jobs (run_ts);
-- Owner: signing.
CREATE TABLE server_keys (
    key_id      TEXT   PRIMARY KEY, -- ed25519:…
    private_key BYTEA  NOT NULL,    -- the seed, 32 bytes
    created_ts  BIGINT NOT NULL
);

-- Step 3: accounts
-- Owner: accounts.
CREATE TABLE users (
    user_id               TEXT    PRIMARY KEY,
    created_ts            BIGINT  NOT NULL,
    password_hash         TEXT    NOT NULL, -- empty: cannot sign in by password
    admin                 BOOLEAN NOT NULL,
    guest                 BOOLEAN NOT NULL,
    approved              BOOLEAN,          -- null: from before approval was required, and so approved
    decided_ts            BIGINT,           -- when an administrator last approved or denied, null: never
    locked                BOOLEAN NOT NULL,
    suspended             BOOLEAN NOT NULL,
    second_factor         BOOLEAN NOT NULL, -- a password alone does not sign in
    deactivated_ts        BIGINT,
    erased_pos            BIGINT,           -- those who join a room after this position see none of the account's words, null: all do
    registered_ip         TEXT    NOT NULL,
    registered_user_agent TEXT    NOT NULL,
    registration_token    TEXT    NOT NULL, -- empty: registered without one
    registration_reason   TEXT    NOT NULL, -- why the person wants to join; empty: did not say
    sso_provider          TEXT    NOT NULL  -- the provider of single sign-on that the person came from; empty: none
);
CREATE INDEX users_created ON users (created_ts, user_id) WHERE approved IS NOT NULL;
CREATE INDEX users_day ON users (created_ts, guest);
CREATE INDEX users_erased ON users (user_id, erased_pos) WHERE erased_pos IS NOT NULL;
CREATE TABLE devices (
    user_id              TEXT   NOT NULL REFERENCES users ON DELETE CASCADE,
    device_id            TEXT   NOT NULL,
    display_name         TEXT,
    created_ts           BIGINT NOT NULL,
    last_seen_ts         BIGINT NOT NULL,
    last_seen_ip         TEXT   NOT NULL,
    last_seen_user_agent TEXT   NOT NULL,
    PRIMARY KEY (user_id, device_id)
);
-- When somebody signed in, to count them by day: nobody needs to know who.
CREATE TABLE sign_ins (
    mark BYTEA  PRIMARY KEY, -- random
    ts   BIGINT NOT NULL
);
CREATE INDEX sign_ins_time ON sign_ins (ts);
-- A user's devices, or what others see of them, changed at a position of the stream.
CREATE TABLE device_list_changes (
    pos     BIGINT PRIMARY KEY,
    user_id TEXT   NOT NULL
);
CREATE INDEX device_list_changes_user ON device_list_changes (user_id, pos);
-- Invitations to register. They are kept in the clear, because an administrator has to be able to read them out.
CREATE TABLE registration_tokens (
    token        TEXT    PRIMARY KEY,
    uses_allowed BIGINT,           -- null: any number
    pending      BIGINT  NOT NULL, -- used by a registration that is under way
    completed    BIGINT  NOT NULL,
    expires_ts   BIGINT,           -- null: never
    preapproved  BOOLEAN NOT NULL, -- accounts made with it need no approval
    created_ts   BIGINT  NOT NULL
);
-- The mail addresses and phone numbers of accounts, in their canonical form.
CREATE TABLE user_threepids (
    medium       TEXT   NOT NULL, -- email or msisdn
    address      TEXT   NOT NULL,
    user_id      TEXT   NOT NULL REFERENCES users ON DELETE CASCADE,
    validated_ts BIGINT NOT NULL,
    added_ts     BIGINT NOT NULL,
    PRIMARY KEY (medium, address)
);
CREATE INDEX user_threepids_user ON user_threepids (user_id);
-- What identity servers have published of accounts because this server asked them to.
CREATE TABLE threepid_bindings (
    user_id   TEXT    NOT NULL REFERENCES users ON DELETE CASCADE,
    medium    TEXT    NOT NULL,
    address   TEXT    NOT NULL, -- in its canonical form
    id_server TEXT    NOT NULL,
    bound_ts  BIGINT  NOT NULL,
    leaving   BOOLEAN NOT NULL, -- is to be taken back
    PRIMARY KEY (user_id, medium, address, id_server)
);
-- Registrations on the pages that wait for addresses to be confirmed.
CREATE TABLE started_registrations (
    browser_hash BYTEA  PRIMARY KEY, -- of a secret of the browser
    started      BYTEA  NOT NULL,    -- what was typed, JSON, with the hash of the password
    expires_ts   BIGINT NOT NULL
);
CREATE INDEX started_registrations_expiry ON started_registrations (expires_ts);
-- Sessions of user-interactive authentication.
CREATE TABLE interactive_sessions (
    session_hash       BYTEA  PRIMARY KEY,
    op                 TEXT   NOT NULL, -- the operation it authenticates
    target             TEXT   NOT NULL, -- what of it: a device, for example
    user_id            TEXT   NOT NULL, -- empty: nobody is signed in
    completed          TEXT   NOT NULL, -- stages, separated by spaces
    request            BYTEA  NOT NULL, -- what the first request asked for, JSON
    registration_token TEXT   NOT NULL, -- of that stage; empty: not passed
    claims             BYTEA  NOT NULL, -- addresses that were shown in such stages, JSON
    result             BYTEA,           -- what came of it, JSON
    expires_ts         BIGINT NOT NULL
);
CREATE INDEX interactive_sessions_expiry ON interactive_sessions (expires_ts);
-- Permissions to replace the cross-signing keys of an account, given on its page.
CREATE TABLE cross_signing_resets (
    user_id  TEXT   PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    until_ts BIGINT NOT NULL
);
-- Wrong passwords. The key is a hash of the name that was tried, whether or not there is such an account.
CREATE TABLE password_guesses (
    who_hash BYTEA  PRIMARY KEY,
    wrong    BIGINT NOT NULL,
    until_ts BIGINT NOT NULL -- they count until then
);
-- The links by which the first administrator makes an account. They are good once, and while there is no administrator.
CREATE TABLE first_administrator_links (
    token_hash BYTEA  PRIMARY KEY,
    expires_ts BIGINT NOT NULL
);
-- What administrators did. Each row carries the hash of the row before it.
CREATE TABLE audit_log (
    id        BIGINT PRIMARY KEY,
    ts        BIGINT NOT NULL,
    actor     TEXT   NOT NULL,
    action    TEXT   NOT NULL,
    target    TEXT   NOT NULL,
    details   BYTEA  NOT NULL, -- JSON
    prev_hash BYTEA  NOT NULL,
    hash      BYTEA  NOT NULL
);
-- Owner: oauth.
CREATE TABLE access_tokens (
    token_id   INTEGER PRIMARY KEY, -- only: sqlite
    token_id   BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, -- only: postgres
    token_hash BYTEA  NOT NULL UNIQUE,
    user_id    TEXT   NOT NULL,
    device_id  TEXT   NOT NULL,
    created_ts BIGINT NOT NULL,
    expires_ts BIGINT, -- null: never
    replaces   BIGINT, -- the refresh token that it was made from, until it is first used
    FOREIGN KEY (user_id, device_id) REFERENCES devices ON DELETE CASCADE
);
CREATE INDEX access_tokens_device ON access_tokens (user_id, device_id);
CREATE TABLE refresh_tokens (
    token_id   INTEGER PRIMARY KEY, -- only: sqlite
    token_id   BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, -- only: postgres
    token_hash BYTEA  NOT NULL UNIQUE,
    user_id    TEXT   NOT NULL,
    device_id  TEXT   NOT NULL,
    created_ts BIGINT NOT NULL,
    spent_ts   BIGINT, -- when its successor was first used, null: not yet
    replaces   BIGINT, -- its predecessor, until one of the two that replace it is first used
    FOREIGN KEY (user_id, device_id) REFERENCES devices ON DELETE CASCADE
);
CREATE INDEX refresh_tokens_device ON refresh_tokens (user_id, device_id);
CREATE TABLE login_tokens (
    token_hash BYTEA  PRIMARY KEY,
    user_id    TEXT   NOT NULL REFERENCES users ON DELETE CASCADE,
    device_id  TEXT   NOT NULL, -- the device that asked for it; empty: the page of single sign-on
    expires_ts BIGINT NOT NULL
);
CREATE TABLE openid_tokens (
    token_hash BYTEA  PRIMARY KEY,
    user_id    TEXT   NOT NULL REFERENCES users ON DELETE CASCADE,
    expires_ts BIGINT NOT NULL
);
-- Nonces of the shared-secret registration.
CREATE TABLE registration_nonces (
    nonce      TEXT   PRIMARY KEY,
    expires_ts BIGINT NOT NULL
);

-- Step 4: rooms
-- Owner: rooms.
CREATE TABLE rooms (
    room_id       TEXT    PRIMARY KEY,
    version       TEXT    NOT NULL,
    creator       TEXT    NOT NULL,
    created_ts    BIGINT  NOT NULL,
    depth         BIGINT  NOT NULL, -- of the newest event
    extremities   TEXT    NOT NULL, -- forward extremities: event ids, separated by spaces
    joined_count  BIGINT  NOT NULL,
    invited_count BIGINT  NOT NULL,
    published     BOOLEAN NOT NULL  -- in the public room directory
);
CREATE INDEX rooms_published ON rooms (room_id) WHERE published;
-- Events in the order in which they became visible here. The position is the
-- order of pages and of sync.
CREATE TABLE events (
    pos              INTEGER PRIMARY KEY, -- only: sqlite
    pos              BIGINT  PRIMARY KEY, -- only: postgres
    event_id         TEXT    NOT NULL UNIQUE,
    room_id          TEXT    NOT NULL,
    type             TEXT    NOT NULL,
    state_key        TEXT,
    sender           TEXT    NOT NULL,
    origin_server_ts BIGINT  NOT NULL,
    json             BYTEA   NOT NULL, -- the signed event, canonical; pruned when redacted
    replaces_pos     BIGINT,           -- the state event that it replaced
    redacts          TEXT,
    redacted_by      TEXT,             -- the id of the redaction
    relates_to       TEXT,             -- m.relates_to: event_id and rel_type
    rel_type         TEXT,
    txn_device       TEXT,             -- the sender's device and transaction id
    txn_id           TEXT
);
CREATE INDEX events_room ON events (room_id, pos);
CREATE INDEX events_ts ON events (room_id, origin_server_ts);
CREATE INDEX events_relations ON events (relates_to, room_id, pos) WHERE relates_to IS NOT NULL;
CREATE INDEX events_threads ON events (room_id, relates_to, pos) WHERE rel_type = 'm.thread';
CREATE INDEX events_txn ON events (sender, txn_device, txn_id) WHERE txn_id IS NOT NULL;
-- State as differences: a row holds from its position until the one that replaced
-- it. 9223372036854775807 is the present.
CREATE TABLE room_state (
    room_id   TEXT   NOT NULL,
    type      TEXT   NOT NULL,
    state_key TEXT   NOT NULL,
    from_pos  BIGINT NOT NULL,
    until_pos BIGINT NOT NULL,
    event_pos BIGINT NOT NULL,
    event_id  TEXT   NOT NULL,
    value     TEXT, -- membership, history_visibility or join_rule, for events of those types
    PRIMARY KEY (room_id, type, state_key, from_pos)
);
CREATE UNIQUE INDEX room_state_current ON room_state (room_id, type, state_key) WHERE until_pos = 9223372036854775807;
CREATE INDEX room_state_from ON room_state (room_id, from_pos);
-- The present membership of each user, derived from room_state.
CREATE TABLE room_members (
    room_id     TEXT    NOT NULL,
    user_id     TEXT    NOT NULL,
    membership  TEXT    NOT NULL,
    event_pos   BIGINT  NOT NULL,
    sender      TEXT    NOT NULL,
    displayname TEXT,
    avatar_url  TEXT,
    forgotten   BOOLEAN NOT NULL,
    PRIMARY KEY (room_id, user_id)
);
CREATE INDEX room_members_user ON room_members (user_id, event_pos);
CREATE INDEX room_members_membership ON room_members (room_id, membership, event_pos);
CREATE TABLE room_aliases (
    alias      TEXT   PRIMARY KEY,
    room_id    TEXT   NOT NULL,
    creator    TEXT   NOT NULL,
    created_ts BIGINT NOT NULL
);
CREATE INDEX room_aliases_room ON room_aliases (room_id);

-- Step 5: accountdata
-- Owner: accountdata.
CREATE TABLE account_data (
    user_id TEXT   NOT NULL REFERENCES users ON DELETE CASCADE,
    room_id TEXT   NOT NULL, -- empty: not of a room
    type    TEXT   NOT NULL,
    content BYTEA  NOT NULL, -- a JSON object
    pos     BIGINT NOT NULL, -- of the last change
    PRIMARY KEY (user_id, room_id, type)
);
CREATE INDEX account_data_pos ON account_data (user_id, pos);
CREATE TABLE filters (
    user_id    TEXT  NOT NULL REFERENCES users ON DELETE CASCADE,
    filter_id  TEXT  NOT NULL, -- a hash of the definition
    definition BYTEA NOT NULL, -- a JSON object, as it was uploaded
    PRIMARY KEY (user_id, filter_id)
);

-- Step 6: profiles
-- Owner: accounts. One row for each field of a profile.
CREATE TABLE profile_fields (
    user_id  TEXT  NOT NULL,
    name     TEXT  NOT NULL, -- displayname, avatar_url, m.tz, or any other
    value    BYTEA NOT NULL, -- JSON
    searched TEXT  NOT NULL, -- the display name in lower case, empty for other fields
    PRIMARY KEY (user_id, name)
);

-- Step 7: push
-- Owner: push.
CREATE TABLE push_rules (
    user_id TEXT   PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    changes BYTEA  NOT NULL, -- JSON: the user's own rules, and what they changed of the default ones
    pos     BIGINT NOT NULL  -- of the last change
);

-- Step 8: moderation
-- Owner: moderation. What users have reported to whoever runs the server.
CREATE TABLE reports (
    report_id  INTEGER PRIMARY KEY, -- only: sqlite
    report_id  BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, -- only: postgres
    created_ts BIGINT NOT NULL,
    reporter   TEXT   NOT NULL,
    room_id    TEXT   NOT NULL, -- empty: a user is reported
    event_id   TEXT   NOT NULL, -- empty: no single event
    user_id    TEXT   NOT NULL, -- the reported user, or the sender of the event; empty for a room
    reason     TEXT   NOT NULL
);
CREATE UNIQUE INDEX reports_once ON reports (reporter, room_id, event_id, user_id);

-- Step 9: e2ee
-- Owner: e2ee. The identity keys of devices.
CREATE TABLE device_keys (
    user_id          TEXT  NOT NULL,
    device_id        TEXT  NOT NULL,
    keys             BYTEA NOT NULL, -- JSON as uploaded, canonical, without signatures and unsigned
    signature        TEXT  NOT NULL, -- of these keys, by the device itself
    self_signature   TEXT,           -- of these keys, by the user's present self-signing key
    master_signature TEXT,           -- of the user's present master key, by the device
    PRIMARY KEY (user_id, device_id),
    FOREIGN KEY (user_id, device_id) REFERENCES devices ON DELETE CASCADE
);
-- A key is given out once, the one uploaded first before others. It is kept for a while then, so that an upload
-- whose answer was lost and which is repeated does not bring it back.
CREATE TABLE one_time_keys (
    row_id     INTEGER PRIMARY KEY, -- only: sqlite
    row_id     BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, -- only: postgres
    user_id    TEXT  NOT NULL,
    device_id  TEXT  NOT NULL,
    algorithm  TEXT  NOT NULL,
    key_id     TEXT  NOT NULL,
    key        BYTEA NOT NULL, -- JSON
    claimed_ts BIGINT,         -- null: not yet
    UNIQUE (user_id, device_id, algorithm, key_id),
    FOREIGN KEY (user_id, device_id) REFERENCES devices ON DELETE CASCADE
);
CREATE INDEX one_time_keys_order ON one_time_keys (user_id, device_id, algorithm, row_id) WHERE claimed_ts IS NULL;
CREATE INDEX one_time_keys_claimed ON one_time_keys (claimed_ts) WHERE claimed_ts IS NOT NULL;
-- The key that is given out, again and again, when there is no one-time key.
CREATE TABLE fallback_keys (
    user_id   TEXT    NOT NULL,
    device_id TEXT    NOT NULL,
    algorithm TEXT    NOT NULL,
    key_id    TEXT    NOT NULL,
    key       BYTEA   NOT NULL, -- JSON
    used      BOOLEAN NOT NULL,
    PRIMARY KEY (user_id, device_id, algorithm),
    FOREIGN KEY (user_id, device_id) REFERENCES devices ON DELETE CASCADE
);
-- Messages to devices that these have not acknowledged yet.
CREATE TABLE to_device (
    pos       BIGINT PRIMARY KEY,
    user_id   TEXT   NOT NULL,
    device_id TEXT   NOT NULL,
    sender    TEXT   NOT NULL,
    type      TEXT   NOT NULL,
    content   BYTEA  NOT NULL, -- JSON
    FOREIGN KEY (user_id, device_id) REFERENCES devices ON DELETE CASCADE
);
CREATE INDEX to_device_inbox ON to_device (user_id, device_id, pos);
-- Requests to send to devices that have been done.
CREATE TABLE to_device_sent (
    user_id   TEXT   NOT NULL,
    device_id TEXT   NOT NULL,
    type      TEXT   NOT NULL,
    txn_id    TEXT   NOT NULL,
    sent_ts   BIGINT NOT NULL,
    PRIMARY KEY (user_id, device_id, type, txn_id),
    FOREIGN KEY (user_id, device_id) REFERENCES devices ON DELETE CASCADE
);
CREATE INDEX to_device_sent_ts ON to_device_sent (sent_ts);

-- Step 10: ephemeral
-- Owner: ephemeral.
-- Who types, or has typed, in a room. The position is that of the last start or
-- stop: typing on takes none.
CREATE TABLE typing (
    room_id  TEXT   NOT NULL,
    user_id  TEXT   NOT NULL REFERENCES users ON DELETE CASCADE,
    until_ts BIGINT NOT NULL, -- 0: has stopped
    pos      BIGINT NOT NULL,
    PRIMARY KEY (room_id, user_id)
);
CREATE INDEX typing_pos ON typing (pos);
CREATE INDEX typing_room ON typing (room_id, pos);
-- How far each user has read.
CREATE TABLE receipts (
    user_id   TEXT   NOT NULL REFERENCES users ON DELETE CASCADE,
    room_id   TEXT   NOT NULL,
    type      TEXT   NOT NULL, -- m.read or m.read.private
    thread_id TEXT   NOT NULL, -- a thread's root, "main", or empty: unthreaded
    event_id  TEXT   NOT NULL,
    event_pos BIGINT NOT NULL, -- the event's position
    ts        BIGINT NOT NULL,
    pos       BIGINT NOT NULL, -- of the receipt's last change
    PRIMARY KEY (user_id, room_id, type, thread_id)
);
CREATE INDEX receipts_pos ON receipts (pos);
CREATE INDEX receipts_room ON receipts (room_id, pos);
CREATE TABLE presence (
    user_id        TEXT   PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    presence       TEXT   NOT NULL, -- online, unavailable or offline
    status_msg     TEXT,
    last_active_ts BIGINT NOT NULL,
    seen_ts        BIGINT NOT NULL, -- when a device last synced or set it
    pos            BIGINT NOT NULL
);
CREATE INDEX presence_pos ON presence (pos);
CREATE INDEX presence_seen ON presence (seen_ts) WHERE presence <> 'offline';

-- Step 11: oauth
-- Owner: oauth. OAuth clients: who registered itself, and how it calls itself.
CREATE TABLE oauth_clients (
    client_id  TEXT   PRIMARY KEY, -- a hash of the metadata, so that equal ones share a row
    metadata   BYTEA  NOT NULL,    -- JSON, as it was registered
    created_ts BIGINT NOT NULL,
    unused_ts  BIGINT NOT NULL     -- from then on a client without a session may be forgotten
);
CREATE INDEX oauth_clients_unused ON oauth_clients (unused_ts);
-- Sessions that OAuth clients began. A device without a row here began by the legacy login.
CREATE TABLE oauth_sessions (
    user_id    TEXT   NOT NULL,
    device_id  TEXT   NOT NULL,
    client_id  TEXT   NOT NULL REFERENCES oauth_clients,
    scope      TEXT   NOT NULL,
    created_ts BIGINT NOT NULL,
    code_hash  BYTEA  NOT NULL, -- the code or device code that it was exchanged for
    PRIMARY KEY (user_id, device_id),
    FOREIGN KEY (user_id, device_id) REFERENCES devices ON DELETE CASCADE
);
CREATE INDEX oauth_sessions_client ON oauth_sessions (client_id);
-- Authorization codes. A used one is kept until it would have run out, so that its reuse is noticed.
CREATE TABLE oauth_codes (
    code_hash    BYTEA  PRIMARY KEY,
    client_id    TEXT   NOT NULL REFERENCES oauth_clients ON DELETE CASCADE,
    user_id      TEXT   NOT NULL REFERENCES users ON DELETE CASCADE,
    redirect_uri TEXT   NOT NULL,
    scope        TEXT   NOT NULL,
    challenge    TEXT   NOT NULL, -- of PKCE, S256
    used_ts      BIGINT,          -- null: not yet
    expires_ts   BIGINT NOT NULL
);
CREATE INDEX oauth_codes_expiry ON oauth_codes (expires_ts);
-- Devices that ask to sign in, and what was decided about them.
CREATE TABLE device_grants (
    device_code_hash BYTEA  PRIMARY KEY,
    user_code_hash   BYTEA  NOT NULL UNIQUE,
    client_id        TEXT   NOT NULL REFERENCES oauth_clients ON DELETE CASCADE,
    scope            TEXT   NOT NULL,
    ip               TEXT   NOT NULL, -- who asks
    user_agent       TEXT   NOT NULL,
    created_ts       BIGINT NOT NULL,
    expires_ts       BIGINT NOT NULL,
    interval_ms      BIGINT NOT NULL, -- least time between two polls
    polled_ts        BIGINT NOT NULL, -- 0: never
    state            TEXT   NOT NULL, -- pending, approved, denied or exchanged
    reason           TEXT   NOT NULL, -- of a denial, for the client
    user_id          TEXT             -- who decided
);
CREATE INDEX device_grants_expiry ON device_grants (expires_ts);
CREATE INDEX device_grants_ip ON device_grants (ip, expires_ts);
-- Wrong user codes: by account, by address, and of everybody.
CREATE TABLE code_guesses (
    who      TEXT   PRIMARY KEY,
    wrong    BIGINT NOT NULL,
    until_ts BIGINT NOT NULL -- they count until then
);
-- Browsers in which somebody has signed in to the pages. One ends when the password changes.
CREATE TABLE browser_sessions (
    session_hash     BYTEA  PRIMARY KEY,
    user_id          TEXT   NOT NULL REFERENCES users ON DELETE CASCADE,
    password_mark    BYTEA  NOT NULL, -- a hash of the password's hash
    created_ts       BIGINT NOT NULL,
    proved_ts        BIGINT NOT NULL, -- when the person last proved who they are, 0: not known
    seen_ts          BIGINT NOT NULL,
    expires_ts       BIGINT NOT NULL,
    ip               TEXT   NOT NULL,
    user_agent       TEXT   NOT NULL,
    provider         TEXT   NOT NULL, -- of single sign-on, which vouched for the person, empty: this server checked
    provider_session TEXT   NOT NULL  -- what the provider calls its session, may be empty
);
CREATE INDEX browser_sessions_user ON browser_sessions (user_id);
CREATE INDEX browser_sessions_expiry ON browser_sessions (expires_ts);

-- Step 12: rendezvous
-- Owner: rendezvous. Mailboxes in which two devices meet to sign in one of them.
CREATE TABLE rendezvous_sessions (
    session_id TEXT    PRIMARY KEY,
    protocol   TEXT    NOT NULL, -- msc4108 or msc4388
    stable     BOOLEAN NOT NULL, -- made by the stable path
    network    TEXT    NOT NULL, -- of who made it: an IPv4 address, or half an IPv6 address
    data       BYTEA   NOT NULL, -- the latest message
    tag        TEXT    NOT NULL, -- the ETag or sequence token of the message, without quotes
    writes     BIGINT  NOT NULL, -- after the first message
    written    BIGINT  NOT NULL, -- bytes of all messages
    updated_ts BIGINT  NOT NULL,
    expires_ts BIGINT  NOT NULL,
    ends_ts    BIGINT  NOT NULL  -- beyond this no write moves the expiry
);
CREATE INDEX rendezvous_sessions_expiry ON rendezvous_sessions (expires_ts);

-- Step 13: e2ee
-- Owner: e2ee. The cross-signing keys of users, at most one for each usage.
CREATE TABLE cross_signing_keys (
    user_id    TEXT  NOT NULL REFERENCES users ON DELETE CASCADE,
    usage      TEXT  NOT NULL, -- master, self_signing or user_signing
    public_key TEXT  NOT NULL, -- unpadded base64
    keys       BYTEA NOT NULL, -- JSON as uploaded, canonical, without signatures and unsigned
    signature  TEXT,           -- of these keys, by the user's master key, null only for the master key itself
    PRIMARY KEY (user_id, usage)
);
-- Signatures of the master keys of others. Only who made one sees it.
CREATE TABLE user_signatures (
    signer_id   TEXT   NOT NULL REFERENCES users ON DELETE CASCADE,
    user_id     TEXT   NOT NULL REFERENCES users ON DELETE CASCADE,
    signing_key TEXT   NOT NULL, -- the signer's user-signing key
    master_key  TEXT   NOT NULL, -- which was signed
    signature   TEXT   NOT NULL,
    pos         BIGINT NOT NULL, -- in the stream, when it was made
    PRIMARY KEY (signer_id, user_id)
);
CREATE INDEX user_signatures_user ON user_signatures (user_id);
CREATE INDEX user_signatures_pos ON user_signatures (signer_id, pos);
-- Backups of the keys of rooms. A row stays when its backup is deleted, so that its number is not given again.
CREATE TABLE key_backups (
    user_id   TEXT    NOT NULL REFERENCES users ON DELETE CASCADE,
    version   BIGINT  NOT NULL,
    algorithm TEXT    NOT NULL,
    auth_data BYTEA   NOT NULL, -- JSON
    etag      BIGINT  NOT NULL, -- grows with each change of the keys in it
    keys      BIGINT  NOT NULL, -- how many there are
    deleted   BOOLEAN NOT NULL,
    PRIMARY KEY (user_id, version)
);
CREATE TABLE key_backup_sessions (
    user_id             TEXT    NOT NULL,
    version             BIGINT  NOT NULL,
    room_id             TEXT    NOT NULL,
    session_id          TEXT    NOT NULL,
    first_message_index BIGINT  NOT NULL,
    forwarded_count     BIGINT  NOT NULL,
    is_verified         BOOLEAN NOT NULL,
    session_data        BYTEA   NOT NULL, -- JSON, encrypted by the client
    PRIMARY KEY (user_id, version, room_id, session_id),
    FOREIGN KEY (user_id, version) REFERENCES key_backups ON DELETE CASCADE
);

-- Step 14: mail
-- Owner: mail. Mails that the mail server has yet to take, as they are to be sent.
CREATE TABLE mail_outbox (
    mail_id    TEXT   PRIMARY KEY, -- the part of the Message-ID before the @
    address    TEXT   NOT NULL,
    template   TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    body_text  TEXT   NOT NULL,
    body_html  TEXT   NOT NULL,
    created_ts BIGINT NOT NULL,
    expires_ts BIGINT NOT NULL, -- of no use after that
    lease_ts   BIGINT NOT NULL, -- somebody sends it until then
    unsure     BIGINT NOT NULL  -- how often it was sent without an answer
);
-- Owner: sms. Text messages that the gateway has yet to take.
CREATE TABLE sms_outbox (
    sms_id     TEXT   PRIMARY KEY,
    number     TEXT   NOT NULL, -- E.164 without the plus sign
    body       TEXT   NOT NULL,
    created_ts BIGINT NOT NULL,
    expires_ts BIGINT NOT NULL,
    lease_ts   BIGINT NOT NULL,
    unsure     BIGINT NOT NULL
);
-- Owner: sms. What was sent within a day, to be counted against the limits.
CREATE TABLE sms_sends (
    sms_id  TEXT   PRIMARY KEY,
    number  TEXT   NOT NULL,
    country TEXT   NOT NULL, -- two letters
    price   BIGINT NOT NULL, -- in millionths of the unit of sms.price
    sent_ts BIGINT NOT NULL
);
CREATE INDEX sms_sends_number ON sms_sends (number, sent_ts);
CREATE INDEX sms_sends_country ON sms_sends (country, sent_ts);
CREATE INDEX sms_sends_time ON sms_sends (sent_ts);

-- Step 15: validation
-- Owner: validation. Sessions in which somebody shows that an address is theirs.
CREATE TABLE validation_sessions (
    sid          TEXT    PRIMARY KEY,
    purpose      TEXT    NOT NULL, -- register, add, password or identity
    medium       TEXT    NOT NULL, -- email or msisdn
    address      TEXT    NOT NULL, -- canonical
    account      TEXT    NOT NULL, -- the user who asked; empty: nobody
    secret_hash  BYTEA   NOT NULL, -- of the client's secret
    seed         BYTEA   NOT NULL, -- with the client's secret it makes the token
    pretended    BOOLEAN NOT NULL, -- no token is ever right
    send_attempt BIGINT  NOT NULL, -- the highest that was sent, -1: none
    next_link    TEXT    NOT NULL, -- where the browser goes then; empty: nowhere
    wrong        BIGINT  NOT NULL, -- tokens
    created_ts   BIGINT  NOT NULL,
    expires_ts   BIGINT  NOT NULL,
    validated_ts BIGINT,           -- null: not yet
    used_ts      BIGINT            -- null: not yet
);
CREATE INDEX validation_sessions_address ON validation_sessions (address, secret_hash);
CREATE INDEX validation_sessions_expiry ON validation_sessions (expires_ts);
-- What is left of the budgets for messages and for wrong codes.
CREATE TABLE validation_budgets (
    who      TEXT   PRIMARY KEY, -- what is counted, and for whom
    spent    BIGINT NOT NULL,
    until_ts BIGINT NOT NULL     -- it counts until then
);
CREATE INDEX validation_budgets_end ON validation_budgets (until_ts);

-- Step 16: identity
-- Owner: identity. The identity service's long-term signing keys; the newest signs.
CREATE TABLE identity_keys (
    key_id      TEXT   PRIMARY KEY, -- ed25519:abcdef
    private_key BYTEA  NOT NULL,    -- the seed
    public_key  TEXT   NOT NULL,    -- unpadded base64
    created_ts  BIGINT NOT NULL
);
-- Owner: identity. Access tokens. An account is a user that has one.
CREATE TABLE identity_tokens (
    token_hash BYTEA  PRIMARY KEY,
    user_id    TEXT   NOT NULL, -- of any homeserver
    expires_ts BIGINT NOT NULL
);
CREATE INDEX identity_tokens_expiry ON identity_tokens (expires_ts);
-- Owner: identity. The documents that users have accepted.
CREATE TABLE identity_accepted_terms (
    user_id     TEXT   NOT NULL,
    url         TEXT   NOT NULL,
    accepted_ts BIGINT NOT NULL,
    PRIMARY KEY (user_id, url)
);
-- Owner: identity. The one pepper of the present.
CREATE TABLE identity_pepper (
    pepper     TEXT   PRIMARY KEY,
    created_ts BIGINT NOT NULL
);
-- Owner: identity. Whose addresses are whose, as those who own them have published it.
CREATE TABLE identity_associations (
    medium      TEXT   NOT NULL, -- email or msisdn
    address     TEXT   NOT NULL, -- canonical
    user_id     TEXT   NOT NULL,
    lookup_hash TEXT   NOT NULL UNIQUE, -- under the present pepper
    bound_ts    BIGINT NOT NULL,
    PRIMARY KEY (medium, address)
);
-- Owner: identity. Invitations for addresses that belonged to nobody.
CREATE TABLE identity_invites (
    token      TEXT   PRIMARY KEY,
    medium     TEXT   NOT NULL,
    address    TEXT   NOT NULL, -- canonical
    room_id    TEXT   NOT NULL,
    sender     TEXT   NOT NULL,
    public_key TEXT   NOT NULL UNIQUE, -- the ephemeral one, as it was issued
    created_ts BIGINT NOT NULL,
    told_ts    BIGINT -- when the homeserver of the address's user learned of it
);
CREATE INDEX identity_invites_address ON identity_invites (medium, address);
CREATE INDEX identity_invites_age ON identity_invites (created_ts);

-- Step 17: upstream
-- Owner: upstream.
-- Browsers that were sent to a provider and are expected back.
CREATE TABLE upstream_logins (
    state_hash   BYTEA  PRIMARY KEY,
    browser_hash BYTEA  NOT NULL, -- of a secret that only that browser has
    provider     TEXT   NOT NULL,
    purpose      TEXT   NOT NULL, -- sign_in, link or prove
    user_id      TEXT   NOT NULL, -- who is signed in there, empty for sign_in
    next         TEXT   NOT NULL, -- where to go afterwards
    begun_ts     BIGINT NOT NULL,
    expires_ts   BIGINT NOT NULL
);
CREATE INDEX upstream_logins_expiry ON upstream_logins (expires_ts);
-- People whom a provider has vouched for and who have no account yet: they are asked for what it did not say.
CREATE TABLE upstream_enrolments (
    ticket_hash  BYTEA  PRIMARY KEY,
    browser_hash BYTEA  NOT NULL,
    person       BYTEA  NOT NULL, -- what the provider said, JSON
    expires_ts   BIGINT NOT NULL
);
CREATE INDEX upstream_enrolments_expiry ON upstream_enrolments (expires_ts);
-- Whose account belongs to whom at which provider.
CREATE TABLE upstream_links (
    provider  TEXT   NOT NULL,
    subject   TEXT   NOT NULL, -- who it is, as the provider alone knows
    user_id   TEXT   NOT NULL REFERENCES users ON DELETE CASCADE,
    label     TEXT   NOT NULL, -- what the provider calls the person, for their own eyes
    linked_ts BIGINT NOT NULL,
    used_ts   BIGINT NOT NULL, -- when the person last came from there
    PRIMARY KEY (provider, subject)
);
CREATE INDEX upstream_links_user ON upstream_links (user_id);
-- People who have no account any more: whoever was refused or shut out does not come back as somebody new.
CREATE TABLE upstream_closed (
    mark BYTEA PRIMARY KEY -- a hash of the provider and who it is there
);
-- Logout tokens that were used: each is good once.
CREATE TABLE upstream_logouts (
    mark       BYTEA  PRIMARY KEY, -- a hash of the provider and the ID of the token
    expires_ts BIGINT NOT NULL     -- when the token is too old in any case
);
CREATE INDEX upstream_logouts_expiry ON upstream_logouts (expires_ts);

-- Step 18: factors
-- Owner: factors. The secrets of one-time codes (RFC 6238).
CREATE TABLE totp_secrets (
    user_id   TEXT   PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    sealed    BYTEA  NOT NULL, -- encrypted with a key that is not in the database
    used_step BIGINT NOT NULL, -- the latest time step of which a code was used
    added_ts  BIGINT NOT NULL
);
-- Which key secrets are encrypted with: at most one row.
CREATE TABLE factor_key (
    one         BOOLEAN PRIMARY KEY, -- always true
    fingerprint BYTEA   NOT NULL
);
-- Codes for whoever has lost the other factors. One that was used is deleted.
CREATE TABLE recovery_codes (
    user_id   TEXT  NOT NULL REFERENCES users ON DELETE CASCADE,
    code_hash BYTEA NOT NULL,
    PRIMARY KEY (user_id, code_hash)
);
-- Wrong codes.
CREATE TABLE factor_guesses (
    who      TEXT   PRIMARY KEY, -- which kind of code, of whom
    wrong    BIGINT NOT NULL,
    until_ts BIGINT NOT NULL -- they count until then
);
CREATE INDEX factor_guesses_expiry ON factor_guesses (until_ts);
-- What authenticators know users by: random, so that it tells nobody who it is.
CREATE TABLE passkey_users (
    user_id TEXT  PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    handle  BYTEA NOT NULL UNIQUE
);
-- Passkeys (Web Authentication).
CREATE TABLE passkeys (
    credential_id BYTEA  PRIMARY KEY,
    user_id       TEXT   NOT NULL REFERENCES users ON DELETE CASCADE,
    name          TEXT   NOT NULL,
    public_key    BYTEA  NOT NULL, -- COSE
    sign_count    BIGINT NOT NULL, -- 0: the authenticator does not count
    flags         BIGINT NOT NULL, -- of the authenticator data, such as whether it may be backed up
    aaguid        BYTEA  NOT NULL, -- the make of the authenticator, as it claims
    transports    TEXT   NOT NULL, -- separated by spaces
    added_ts      BIGINT NOT NULL,
    used_ts       BIGINT           -- null: never
);
CREATE INDEX passkeys_user ON passkeys (user_id);
-- Challenges that a passkey has to sign. One that was answered is deleted.
CREATE TABLE passkey_challenges (
    challenge_hash BYTEA  PRIMARY KEY,
    purpose        TEXT   NOT NULL,
    user_id        TEXT   NOT NULL, -- empty: the passkey says who it is
    browser_hash   BYTEA  NOT NULL, -- the browser that asked for it
    expires_ts     BIGINT NOT NULL
);
CREATE INDEX passkey_challenges_expiry ON passkey_challenges (expires_ts);
-- Browsers in which somebody has proved one factor, and not yet the second.
CREATE TABLE sign_in_steps (
    step_hash     BYTEA   PRIMARY KEY,
    user_id       TEXT    NOT NULL REFERENCES users ON DELETE CASCADE,
    password_mark BYTEA   NOT NULL, -- a hash of the password's hash
    note          BYTEA   NOT NULL, -- of the first step, JSON
    passed        BOOLEAN NOT NULL, -- the second, too
    expires_ts    BIGINT  NOT NULL
);
CREATE INDEX sign_in_steps_expiry ON sign_in_steps (expires_ts);

-- Step 19: notices
-- Owner: notices.
-- The accounts in whose name the server speaks. They were made for it and are nobody's.
CREATE TABLE notice_speakers (
    user_id TEXT PRIMARY KEY
);
-- The room in which the server speaks to each user.
CREATE TABLE notice_rooms (
    user_id TEXT PRIMARY KEY,
    room_id TEXT NOT NULL
);
-- Accounts that have begun to wait for approval since the last digest.
CREATE TABLE notice_waiting (
    user_id TEXT PRIMARY KEY
);
-- When the last digest went out, in one row at most.
CREATE TABLE notice_digest (
    id      BIGINT PRIMARY KEY, -- 1
    sent_ts BIGINT NOT NULL
);

-- Step 20: lost
-- Owner: db. The positions that were given out after a backup was made, and lost when it was restored:
-- those between the two. A token with one of them is from a history that never was.
CREATE TABLE lost_positions (
    after_pos   BIGINT PRIMARY KEY, -- the last position of the backup
    before_pos  BIGINT NOT NULL,    -- the first one of the server that was restored
    restored_ts BIGINT NOT NULL
);
-- Owner: db. What a backup holds, by which its reader sees whether it is whole. Empty in a server.
CREATE TABLE backup_tables (
    name      TEXT   PRIMARY KEY,
    row_count BIGINT NOT NULL,
    hash      BYTEA  NOT NULL
);

-- Step 21: redacted_pos
-- Owner: rooms. The position of the newest redaction in the room, 0 for none: events that a
-- process keeps in memory are as the database has them as long as it is the same.
ALTER TABLE rooms ADD COLUMN redacted_pos BIGINT NOT NULL DEFAULT 0;

-- Step 22: events_relating
-- Owner: rooms. The events of a room that relate to others, by position: a page of history
-- asks which of its events later ones relate to, and nearly always none do.
CREATE INDEX events_relating ON events (room_id, pos, relates_to) WHERE relates_to IS NOT NULL;
