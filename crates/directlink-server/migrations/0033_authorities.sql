-- Who signs certificates, and who did and is still trusted. One that has been retired has no row.
CREATE TABLE authority (
    -- SHA-256 of its certificate.
    id            TEXT   NOT NULL PRIMARY KEY,
    certificate   TEXT   NOT NULL,
    -- PEM, as secret as customers' keys beside it; NULL: in files that each server is given.
    signing_key   TEXT,
    added_us      BIGINT NOT NULL,
    -- The one with the latest time signs; NULL: it never did.
    signs_from_us BIGINT
);

-- Whom a router's agent trusts, as it last said: ids with blanks between them.
CREATE TABLE router_trust (
    router      TEXT NOT NULL PRIMARY KEY REFERENCES router (name),
    authorities TEXT NOT NULL
);
