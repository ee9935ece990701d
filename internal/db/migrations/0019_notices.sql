-- Owner: notices.
-- The accounts in whose name the server speaks. They were made for it and are nobody's.
CREATE TABLE notice_speakers (
    user_id TEXT PRIMARY KEY
);
-- The room in which the server speaks to each user.
CREATE TABLE notice_rooms (
    user_id TEXT PRIMARY KEY,
    room_id TEXT NOT NULL
);
-- Accounts that have begun to wait for approval since the last digest.
CREATE TABLE notice_waiting (
    user_id TEXT PRIMARY KEY
);
-- When the last digest went out, in one row at most.
CREATE TABLE notice_digest (
    id      BIGINT PRIMARY KEY, -- 1
    sent_ts BIGINT NOT NULL
);
