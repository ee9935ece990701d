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
