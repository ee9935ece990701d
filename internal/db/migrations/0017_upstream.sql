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
