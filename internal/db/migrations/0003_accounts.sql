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
