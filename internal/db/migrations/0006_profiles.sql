-- Owner: accounts. One row for each field of a profile.
CREATE TABLE profile_fields (
    user_id  TEXT  NOT NULL,
    name     TEXT  NOT NULL, -- displayname, avatar_url, m.tz, or any other
    value    BYTEA NOT NULL, -- JSON
    searched TEXT  NOT NULL, -- the display name in lower case, empty for other fields
    PRIMARY KEY (user_id, name)
);
