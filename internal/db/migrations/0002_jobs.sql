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
