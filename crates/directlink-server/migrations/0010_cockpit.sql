-- Who is signed in to Cockpit. The browser holds 256 random bits; here is only their SHA-256, so that whoever reads
-- this file is nobody there.
CREATE TABLE cockpit_session (
    key_hash TEXT   NOT NULL PRIMARY KEY,
    -- NULL: the operator.
    account  TEXT   REFERENCES account (id),
    begun_us BIGINT NOT NULL,
    seen_us  BIGINT NOT NULL
);
CREATE INDEX cockpit_session_seen ON cockpit_session (seen_us);

-- The audit trail is read from its end.
CREATE INDEX event_at ON event (at_us);
