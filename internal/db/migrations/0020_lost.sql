-- Owner: db. The positions that were given out after a backup was made, and lost when it was restored:
-- those between the two. A token with one of them is from a history that never was.
CREATE TABLE lost_positions (
    after_pos   BIGINT PRIMARY KEY, -- the last position of the backup
    before_pos  BIGINT NOT NULL,    -- the first one of the server that was restored
    restored_ts BIGINT NOT NULL
);
-- Owner: db. What a backup holds, by which its reader sees whether it is whole. Empty in a server.
CREATE TABLE backup_tables (
    name      TEXT   PRIMARY KEY,
    row_count BIGINT NOT NULL,
    hash      BYTEA  NOT NULL
);
