-- Owner: db. One counter of positions for everything that a reader can wait for.
CREATE TABLE stream (
    pos BIGINT NOT NULL
);
INSERT INTO stream (pos) VALUES (1);
