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
