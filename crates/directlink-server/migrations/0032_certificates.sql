-- Who is a router: every certificate that was made for one and is not forgotten yet. What is not here is no router's,
-- whoever signed it. The column router.identity still has the newest's fingerprint, for servers of an earlier version.
CREATE TABLE router_certificate (
    -- SHA-256 of the certificate.
    fingerprint TEXT   NOT NULL PRIMARY KEY,
    router      TEXT   NOT NULL REFERENCES router (name),
    -- SHA-256 of the certificate of the authority that signed it; NULL: that of an earlier version.
    authority   TEXT,
    issued_us   BIGINT NOT NULL,
    -- NULL: made by an earlier version, without an end.
    expires_us  BIGINT,
    revoked_us  BIGINT
);
CREATE INDEX router_certificate_router ON router_certificate (router);
INSERT INTO router_certificate (fingerprint, router, issued_us)
    SELECT identity, name, 0 FROM router;

-- The token by which a router may come to its first certificate: one at a time.
CREATE TABLE enrolment (
    router      TEXT   NOT NULL PRIMARY KEY REFERENCES router (name),
    -- SHA-256; the secret itself is not kept.
    secret_hash TEXT   NOT NULL UNIQUE,
    created_us  BIGINT NOT NULL,
    expires_us  BIGINT NOT NULL,
    -- SHA-256 of the key that it made a certificate for.
    used_by     TEXT
);
