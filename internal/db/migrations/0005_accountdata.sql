-- Owner: accountdata.
CREATE TABLE account_data (
    user_id TEXT   NOT NULL REFERENCES users ON DELETE CASCADE,
    room_id TEXT   NOT NULL, -- empty: not of a room
    type    TEXT   NOT NULL,
    content BYTEA  NOT NULL, -- a JSON object
    pos     BIGINT NOT NULL, -- of the last change
    PRIMARY KEY (user_id, room_id, type)
);
CREATE INDEX account_data_pos ON account_data (user_id, pos);
CREATE TABLE filters (
    user_id    TEXT  NOT NULL REFERENCES users ON DELETE CASCADE,
    filter_id  TEXT  NOT NULL, -- a hash of the definition
    definition BYTEA NOT NULL, -- a JSON object, as it was uploaded
    PRIMARY KEY (user_id, filter_id)
);
