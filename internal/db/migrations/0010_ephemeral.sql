-- Owner: ephemeral.
-- Who types, or has typed, in a room. The position is that of the last start or
-- stop: typing on takes none.
CREATE TABLE typing (
    room_id  TEXT   NOT NULL,
    user_id  TEXT   NOT NULL REFERENCES users ON DELETE CASCADE,
    until_ts BIGINT NOT NULL, -- 0: has stopped
    pos      BIGINT NOT NULL,
    PRIMARY KEY (room_id, user_id)
);
CREATE INDEX typing_pos ON typing (pos);
CREATE INDEX typing_room ON typing (room_id, pos);
-- How far each user has read.
CREATE TABLE receipts (
    user_id   TEXT   NOT NULL REFERENCES users ON DELETE CASCADE,
    room_id   TEXT   NOT NULL,
    type      TEXT   NOT NULL, -- m.read or m.read.private
    thread_id TEXT   NOT NULL, -- a thread's root, "main", or empty: unthreaded
    event_id  TEXT   NOT NULL,
    event_pos BIGINT NOT NULL, -- the event's position
    ts        BIGINT NOT NULL,
    pos       BIGINT NOT NULL, -- of the receipt's last change
    PRIMARY KEY (user_id, room_id, type, thread_id)
);
CREATE INDEX receipts_pos ON receipts (pos);
CREATE INDEX receipts_room ON receipts (room_id, pos);
CREATE TABLE presence (
    user_id        TEXT   PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    presence       TEXT   NOT NULL, -- online, unavailable or offline
    status_msg     TEXT,
    last_active_ts BIGINT NOT NULL,
    seen_ts        BIGINT NOT NULL, -- when a device last synced or set it
    pos            BIGINT NOT NULL
);
CREATE INDEX presence_pos ON presence (pos);
CREATE INDEX presence_seen ON presence (seen_ts) WHERE presence <> 'offline';
