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
