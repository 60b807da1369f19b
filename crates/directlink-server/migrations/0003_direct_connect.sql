-- What AWS Direct Connect has beyond what both APIs share.

-- The tags that an account keeps with a connection or interface: its own, shown to nobody else.
CREATE TABLE line_tag (
    resource TEXT NOT NULL,
    account  TEXT NOT NULL REFERENCES account (id),
    name     TEXT NOT NULL,
    value    TEXT NOT NULL,
    PRIMARY KEY (account, resource, name)
);

-- While it is set and not over, a failover test keeps the session shut.
ALTER TABLE interface ADD COLUMN testing_until_us BIGINT;

CREATE TABLE failover_test (
    id          TEXT   NOT NULL PRIMARY KEY,
    interface   TEXT   NOT NULL REFERENCES interface (id),
    owner       TEXT   NOT NULL REFERENCES account (id),
    minutes     BIGINT NOT NULL,
    started_us  BIGINT NOT NULL,
    -- When its minutes are over.
    until_us    BIGINT NOT NULL,
    ended_us    BIGINT,
    -- Before its minutes were over.
    ended_early BIGINT
);
CREATE INDEX failover_test_owner ON failover_test (owner, started_us);
-- One at a time on an interface. The code says so too; this is for when it is wrong.
CREATE UNIQUE INDEX failover_test_running ON failover_test (interface) WHERE ended_us IS NULL;
CREATE INDEX failover_test_until ON failover_test (until_us) WHERE ended_us IS NULL;
