-- Several servers on one database. A server that has a file for itself leaves these empty.

-- Acts that were asked to be kept, in order of time: looked up by whoever was not answered. Old ones are dropped.
CREATE TABLE act (
    id      TEXT   NOT NULL PRIMARY KEY,
    -- 0: it was asked after before it was there, and never will be.
    is_kept BIGINT NOT NULL
);

-- Has no rows: it is locked, shared by acts and alone by an act that was in others' way too often.
CREATE TABLE gate (
    unused BIGINT
);
