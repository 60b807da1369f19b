-- Figures over time, of an interface or a connection: rings of three steps (in seconds). Of a strip of six slots there is
-- one row, and its place is that of the strip that is a ring older: a subject has 300 rows at most.
CREATE TABLE figure (
    subject  TEXT   NOT NULL,
    step     BIGINT NOT NULL,
    place    BIGINT NOT NULL,
    -- Which strip it is, counted from 1970.
    strip    BIGINT NOT NULL,
    -- JSON: a point for each slot.
    document TEXT   NOT NULL,
    PRIMARY KEY (subject, step, place)
);
