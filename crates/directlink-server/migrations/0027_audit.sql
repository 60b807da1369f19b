-- Who asked for which change, when, from where, and what came of it. Rows are only added. What an act changed is in
-- `event`, with the request's number.
CREATE TABLE audit (
    -- The request's number.
    id      TEXT   NOT NULL PRIMARY KEY,
    at_us   BIGINT NOT NULL,
    -- An account, or `operator`.
    actor   TEXT   NOT NULL,
    address TEXT,
    -- oapi, aws_direct_connect, operator or cockpit
    door    TEXT   NOT NULL,
    -- The API's action; elsewhere the path.
    act     TEXT   NOT NULL,
    -- Of HTTP.
    status  BIGINT NOT NULL
);
CREATE INDEX audit_at ON audit (at_us);

-- NULL: nobody's request, as of a router's report or a deadline.
ALTER TABLE event ADD COLUMN request TEXT;
