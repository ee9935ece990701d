-- Owner: rooms.
CREATE TABLE rooms (
    room_id       TEXT    PRIMARY KEY,
    version       TEXT    NOT NULL,
    creator       TEXT    NOT NULL,
    created_ts    BIGINT  NOT NULL,
    depth         BIGINT  NOT NULL, -- of the newest event
    extremities   TEXT    NOT NULL, -- forward extremities: event ids, separated by spaces
    joined_count  BIGINT  NOT NULL,
    invited_count BIGINT  NOT NULL,
    published     BOOLEAN NOT NULL  -- in the public room directory
);
CREATE INDEX rooms_published ON rooms (room_id) WHERE published;
-- Events in the order in which they became visible here. The position is the
-- order of pages and of sync.
CREATE TABLE events (
    pos              INTEGER PRIMARY KEY, -- only: sqlite
    pos              BIGINT  PRIMARY KEY, -- only: postgres
    event_id         TEXT    NOT NULL UNIQUE,
    room_id          TEXT    NOT NULL,
    type             TEXT    NOT NULL,
    state_key        TEXT,
    sender           TEXT    NOT NULL,
    origin_server_ts BIGINT  NOT NULL,
    json             BYTEA   NOT NULL, -- the signed event, canonical; pruned when redacted
    replaces_pos     BIGINT,           -- the state event that it replaced
    redacts          TEXT,
    redacted_by      TEXT,             -- the id of the redaction
    relates_to       TEXT,             -- m.relates_to: event_id and rel_type
    rel_type         TEXT,
    txn_device       TEXT,             -- the sender's device and transaction id
    txn_id           TEXT
);
CREATE INDEX events_room ON events (room_id, pos);
CREATE INDEX events_ts ON events (room_id, origin_server_ts);
CREATE INDEX events_relations ON events (relates_to, room_id, pos) WHERE relates_to IS NOT NULL;
CREATE INDEX events_threads ON events (room_id, relates_to, pos) WHERE rel_type = 'm.thread';
CREATE INDEX events_txn ON events (sender, txn_device, txn_id) WHERE txn_id IS NOT NULL;
-- State as differences: a row holds from its position until the one that replaced
-- it. 9223372036854775807 is the present.
CREATE TABLE room_state (
    room_id   TEXT   NOT NULL,
    type      TEXT   NOT NULL,
    state_key TEXT   NOT NULL,
    from_pos  BIGINT NOT NULL,
    until_pos BIGINT NOT NULL,
    event_pos BIGINT NOT NULL,
    event_id  TEXT   NOT NULL,
    value     TEXT, -- membership, history_visibility or join_rule, for events of those types
    PRIMARY KEY (room_id, type, state_key, from_pos)
);
CREATE UNIQUE INDEX room_state_current ON room_state (room_id, type, state_key) WHERE until_pos = 9223372036854775807;
CREATE INDEX room_state_from ON room_state (room_id, from_pos);
-- The present membership of each user, derived from room_state.
CREATE TABLE room_members (
    room_id     TEXT    NOT NULL,
    user_id     TEXT    NOT NULL,
    membership  TEXT    NOT NULL,
    event_pos   BIGINT  NOT NULL,
    sender      TEXT    NOT NULL,
    displayname TEXT,
    avatar_url  TEXT,
    forgotten   BOOLEAN NOT NULL,
    PRIMARY KEY (room_id, user_id)
);
CREATE INDEX room_members_user ON room_members (user_id, event_pos);
CREATE INDEX room_members_membership ON room_members (room_id, membership, event_pos);
CREATE TABLE room_aliases (
    alias      TEXT   PRIMARY KEY,
    room_id    TEXT   NOT NULL,
    creator    TEXT   NOT NULL,
    created_ts BIGINT NOT NULL
);
CREATE INDEX room_aliases_room ON room_aliases (room_id);
