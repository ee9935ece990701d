-- Owner: push.
CREATE TABLE push_rules (
    user_id TEXT   PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    changes BYTEA  NOT NULL, -- JSON: the user's own rules, and what they changed of the default ones
    pos     BIGINT NOT NULL  -- of the last change
);
