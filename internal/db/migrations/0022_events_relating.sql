-- Owner: rooms. The events of a room that relate to others, by position: a page of history
-- asks which of its events later ones relate to, and nearly always none do.
CREATE INDEX events_relating ON events (room_id, pos, relates_to) WHERE relates_to IS NOT NULL;
