-- What lies around connections and interfaces: routes by hand, tags, quotas, the log of calls.

-- Of one destination a table has one route. One of the two targets is set.
CREATE TABLE route (
    route_table TEXT NOT NULL REFERENCES route_table (id),
    destination TEXT NOT NULL,
    gateway     TEXT REFERENCES gateway (id),
    nic         TEXT REFERENCES nic (id),
    PRIMARY KEY (route_table, destination)
);
CREATE INDEX route_gateway ON route (gateway) WHERE gateway IS NOT NULL;
CREATE INDEX route_nic ON route (nic) WHERE nic IS NOT NULL;

-- A Subnet has one link at most, a Net one main table; the code says so too.
CREATE UNIQUE INDEX route_table_link_subnet ON route_table_link (subnet) WHERE subnet IS NOT NULL;

CREATE INDEX nic_group_group ON nic_group (security_group);

CREATE TABLE tag (
    resource TEXT NOT NULL,
    key      TEXT NOT NULL,
    value    TEXT NOT NULL,
    account  TEXT NOT NULL REFERENCES account (id),
    PRIMARY KEY (resource, key)
);
CREATE INDEX tag_account ON tag (account, resource, key);

ALTER TABLE access_key ADD COLUMN tag TEXT;

-- Where an account may have more or less than the Region's rule says.
CREATE TABLE quota (
    account  TEXT   NOT NULL REFERENCES account (id),
    name     TEXT   NOT NULL,
    at_most  BIGINT NOT NULL,
    PRIMARY KEY (account, name)
);

-- Calls of both customer APIs, without their secrets. Old ones are dropped.
CREATE TABLE api_log (
    id            TEXT   NOT NULL PRIMARY KEY,
    account       TEXT   NOT NULL,
    at_us         BIGINT NOT NULL,
    api           TEXT   NOT NULL,
    version       TEXT   NOT NULL,
    call          TEXT   NOT NULL,
    access_key    TEXT,
    address       TEXT,
    user_agent    TEXT   NOT NULL,
    headers       TEXT   NOT NULL,
    headers_size  BIGINT NOT NULL,
    payload       TEXT   NOT NULL,
    payload_size  BIGINT NOT NULL,
    response_size BIGINT NOT NULL,
    status        BIGINT NOT NULL,
    duration_us   BIGINT NOT NULL
);
CREATE INDEX api_log_account ON api_log (account, at_us, id);
CREATE INDEX api_log_at ON api_log (at_us);
