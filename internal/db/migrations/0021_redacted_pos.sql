-- Owner: rooms. The position of the newest redaction in the room, 0 for none: events that a
-- process keeps in memory are as the database has them as long as it is the same.
ALTER TABLE rooms ADD COLUMN redacted_pos BIGINT NOT NULL DEFAULT 0;
