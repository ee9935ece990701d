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
