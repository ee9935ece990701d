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
