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
