-- Owner: oauth. OAuth clients: who registered itself, and how it calls itself.
CREATE TABLE oauth_clients (
    client_id  TEXT   PRIMARY KEY, -- a hash of the metadata, so that equal ones share a row
    metadata   BYTEA  NOT NULL,    -- JSON, as it was registered
    created_ts BIGINT NOT NULL,
    unused_ts  BIGINT NOT NULL     -- from then on a client without a session may be forgotten
);
CREATE INDEX oauth_clients_unused ON oauth_clients (unused_ts);
