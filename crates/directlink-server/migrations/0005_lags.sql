-- Link aggregation groups. Which connections are members is the connections' fact; on which of them
-- a LAG's interfaces are is the interfaces' (connection), as ever.

CREATE TABLE lag (
    id            TEXT   NOT NULL PRIMARY KEY,
    account       TEXT   NOT NULL REFERENCES account (id),
    name          TEXT   NOT NULL,
    location      TEXT   NOT NULL REFERENCES location (code),
    bandwidth     TEXT   NOT NULL,
    minimum_links BIGINT NOT NULL,
    requested_us  BIGINT NOT NULL,
    deleted_us    BIGINT
);
CREATE INDEX lag_account ON lag (account, requested_us);

ALTER TABLE connection ADD COLUMN lag TEXT REFERENCES lag (id);
CREATE INDEX connection_lag ON connection (lag) WHERE lag IS NOT NULL;

ALTER TABLE interface ADD COLUMN lag TEXT REFERENCES lag (id);
-- A VLAN is taken once on a LAG, whichever members its interfaces are on.
CREATE UNIQUE INDEX interface_lag_vlan ON interface (lag, vlan)
    WHERE lag IS NOT NULL AND deleted_us IS NULL AND expired_us IS NULL AND rejected_us IS NULL;
