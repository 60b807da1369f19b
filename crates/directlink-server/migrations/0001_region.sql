-- The facts of a Region. One text for SQLite and PostgreSQL: ids and addresses TEXT, times BIGINT
-- microseconds since 1970, yes and no BIGINT 1 and 0. No state is stored: states are derived.

CREATE TABLE setting (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- Who.

CREATE TABLE account (
    id            TEXT   NOT NULL PRIMARY KEY,
    email         TEXT   NOT NULL UNIQUE,
    password_hash TEXT   NOT NULL,
    created_us    BIGINT NOT NULL
);

-- A signature can only be checked with the secret itself, so it is here as it is: the file is
-- readable by its owner alone.
CREATE TABLE access_key (
    id          TEXT   NOT NULL PRIMARY KEY,
    account     TEXT   NOT NULL REFERENCES account (id),
    secret      TEXT   NOT NULL,
    active      BIGINT NOT NULL,
    created_us  BIGINT NOT NULL,
    modified_us BIGINT NOT NULL,
    expires_us  BIGINT
);
CREATE INDEX access_key_account ON access_key (account);

-- Where the fibre ends.

CREATE TABLE location (
    code      TEXT NOT NULL PRIMARY KEY,
    name      TEXT NOT NULL,
    subregion TEXT NOT NULL UNIQUE
);

CREATE TABLE router (
    name           TEXT NOT NULL PRIMARY KEY,
    location       TEXT NOT NULL REFERENCES location (code),
    vtep           TEXT NOT NULL UNIQUE,
    bgp_identifier TEXT NOT NULL UNIQUE,
    -- SHA-256 of the certificate that its agent must show: the newest made for it.
    identity       TEXT NOT NULL UNIQUE
);

CREATE TABLE port (
    router TEXT NOT NULL REFERENCES router (name),
    name   TEXT NOT NULL,
    speed  TEXT NOT NULL,
    PRIMARY KEY (router, name)
);

-- Connections and interfaces.

CREATE TABLE connection (
    id              TEXT   NOT NULL PRIMARY KEY,
    account         TEXT   NOT NULL REFERENCES account (id),
    name            TEXT   NOT NULL,
    location        TEXT   NOT NULL REFERENCES location (code),
    bandwidth       TEXT   NOT NULL,
    requested_us    BIGINT NOT NULL,
    approved_us     BIGINT,
    router          TEXT,
    port            TEXT,
    light           BIGINT,
    light_since_us  BIGINT,
    delete_asked_us BIGINT,
    deleted_us      BIGINT,
    -- The fibre of a deleted connection is out of its port.
    port_freed_us   BIGINT
);
CREATE INDEX connection_account ON connection (account, requested_us);
-- What a quota counts.
CREATE INDEX connection_live ON connection (account) WHERE deleted_us IS NULL;
-- A port carries one connection.
CREATE UNIQUE INDEX connection_port ON connection (router, port)
    WHERE router IS NOT NULL AND port_freed_us IS NULL;

-- The Letter of Authorization, issued with the approval.
CREATE TABLE letter (
    connection TEXT   NOT NULL PRIMARY KEY REFERENCES connection (id),
    issued_us  BIGINT NOT NULL
);

CREATE TABLE gateway (
    id         TEXT   NOT NULL PRIMARY KEY,
    account    TEXT   NOT NULL REFERENCES account (id),
    net        TEXT,
    created_us BIGINT NOT NULL,
    deleted_us BIGINT
);
CREATE INDEX gateway_account ON gateway (account, created_us);
CREATE INDEX gateway_live ON gateway (account) WHERE deleted_us IS NULL;
CREATE UNIQUE INDEX gateway_net ON gateway (net) WHERE net IS NOT NULL;

CREATE TABLE interface (
    id                 TEXT   NOT NULL PRIMARY KEY,
    connection         TEXT   NOT NULL REFERENCES connection (id),
    owner              TEXT   NOT NULL REFERENCES account (id),
    name               TEXT   NOT NULL,
    vlan               BIGINT NOT NULL,
    asn                BIGINT NOT NULL,
    bgp_key            TEXT,
    router_address     TEXT   NOT NULL,
    customer_address   TEXT   NOT NULL,
    mtu                BIGINT NOT NULL,
    gateway            TEXT   REFERENCES gateway (id),
    created_us         BIGINT NOT NULL,
    -- Awaited, expired, rejected: at most one is set. None: confirmed.
    confirm_until_us   BIGINT,
    expired_us         BIGINT,
    rejected_us        BIGINT,
    configured         BIGINT NOT NULL,
    session_up         BIGINT NOT NULL,
    forwarding         BIGINT NOT NULL,
    first_available_us BIGINT,
    delete_asked_us    BIGINT,
    deleted_us         BIGINT
);
-- A VLAN is taken once on a connection. The code says so too; this is for when it is wrong.
CREATE UNIQUE INDEX interface_vlan ON interface (connection, vlan)
    WHERE deleted_us IS NULL AND expired_us IS NULL AND rejected_us IS NULL;
CREATE INDEX interface_owner ON interface (owner, created_us);
CREATE INDEX interface_connection ON interface (connection, created_us);
CREATE INDEX interface_gateway ON interface (gateway);
CREATE INDEX interface_awaited ON interface (confirm_until_us) WHERE confirm_until_us IS NOT NULL;

-- What its router last said of an interface: the routes learned, the session. JSON.
CREATE TABLE interface_report (
    interface   TEXT   NOT NULL PRIMARY KEY REFERENCES interface (id),
    document    TEXT   NOT NULL,
    reported_us BIGINT NOT NULL
);

-- Nets.

CREATE TABLE net (
    id         TEXT   NOT NULL PRIMARY KEY,
    account    TEXT   NOT NULL REFERENCES account (id),
    range      TEXT   NOT NULL,
    vni        BIGINT NOT NULL UNIQUE,
    created_us BIGINT NOT NULL
);
CREATE INDEX net_account ON net (account, created_us);

CREATE TABLE subnet (
    id         TEXT   NOT NULL PRIMARY KEY,
    account    TEXT   NOT NULL REFERENCES account (id),
    net        TEXT   NOT NULL REFERENCES net (id),
    range      TEXT   NOT NULL,
    subregion  TEXT   NOT NULL,
    created_us BIGINT NOT NULL
);
CREATE INDEX subnet_net ON subnet (net);
CREATE INDEX subnet_account ON subnet (account, created_us);

CREATE TABLE security_group (
    id          TEXT   NOT NULL PRIMARY KEY,
    account     TEXT   NOT NULL REFERENCES account (id),
    net         TEXT   NOT NULL REFERENCES net (id),
    name        TEXT   NOT NULL,
    description TEXT   NOT NULL,
    created_us  BIGINT NOT NULL,
    UNIQUE (net, name)
);
CREATE INDEX security_group_account ON security_group (account, created_us);

CREATE TABLE security_group_rule (
    id             TEXT   NOT NULL PRIMARY KEY,
    security_group TEXT   NOT NULL REFERENCES security_group (id),
    flow           TEXT   NOT NULL,
    -- JSON of the model's Permission.
    permission     TEXT   NOT NULL,
    -- The order in which the group got its rules.
    position       BIGINT NOT NULL,
    UNIQUE (security_group, flow, permission)
);

CREATE TABLE nic (
    id          TEXT   NOT NULL PRIMARY KEY,
    account     TEXT   NOT NULL REFERENCES account (id),
    subnet      TEXT   NOT NULL REFERENCES subnet (id),
    net         TEXT   NOT NULL REFERENCES net (id),
    address     TEXT   NOT NULL,
    mac         TEXT   NOT NULL UNIQUE,
    description TEXT   NOT NULL,
    vtep        TEXT,
    created_us  BIGINT NOT NULL,
    UNIQUE (subnet, address)
);
CREATE INDEX nic_account ON nic (account, created_us);
CREATE INDEX nic_net ON nic (net);

CREATE TABLE nic_group (
    nic            TEXT NOT NULL REFERENCES nic (id),
    security_group TEXT NOT NULL REFERENCES security_group (id),
    PRIMARY KEY (nic, security_group)
);

CREATE TABLE route_table (
    id         TEXT   NOT NULL PRIMARY KEY,
    account    TEXT   NOT NULL REFERENCES account (id),
    net        TEXT   NOT NULL REFERENCES net (id),
    created_us BIGINT NOT NULL
);
CREATE INDEX route_table_account ON route_table (account, created_us);
CREATE INDEX route_table_net ON route_table (net);

CREATE TABLE route_table_link (
    id          TEXT NOT NULL PRIMARY KEY,
    route_table TEXT NOT NULL REFERENCES route_table (id),
    -- None: the main table of its Net.
    subnet      TEXT REFERENCES subnet (id)
);
CREATE INDEX route_table_link_table ON route_table_link (route_table);

CREATE TABLE propagation (
    route_table TEXT NOT NULL REFERENCES route_table (id),
    gateway     TEXT NOT NULL REFERENCES gateway (id),
    PRIMARY KEY (route_table, gateway)
);
CREATE INDEX propagation_gateway ON propagation (gateway);

-- What routers shall do, and have done.

CREATE TABLE plan (
    router     TEXT   NOT NULL REFERENCES router (name),
    scope      TEXT   NOT NULL,
    generation BIGINT NOT NULL,
    document   TEXT   NOT NULL,
    planned_us BIGINT NOT NULL,
    PRIMARY KEY (router, scope)
);

-- An agent's answer to a document: failure is why it is not (wholly) applied.
CREATE TABLE plan_answer (
    router      TEXT   NOT NULL REFERENCES router (name),
    scope       TEXT   NOT NULL,
    generation  BIGINT NOT NULL,
    failure     TEXT,
    answered_us BIGINT NOT NULL,
    PRIMARY KEY (router, scope)
);

-- Which Nets the planned interfaces of a port lead to.
CREATE TABLE port_net (
    router TEXT NOT NULL,
    port   TEXT NOT NULL,
    net    TEXT NOT NULL,
    PRIMARY KEY (router, port, net)
);
CREATE INDEX port_net_net ON port_net (net);

-- To be planned anew. Set by whoever changes a fact that a document is made of, in the same transaction.
CREATE TABLE dirty_port (
    router TEXT NOT NULL,
    port   TEXT NOT NULL,
    PRIMARY KEY (router, port)
);
CREATE TABLE dirty_net (
    net TEXT NOT NULL PRIMARY KEY
);

-- What happened, and what is still to be done once outside.

CREATE TABLE event (
    id      TEXT   NOT NULL PRIMARY KEY,
    at_us   BIGINT NOT NULL,
    -- An account, 'operator', 'router NAME', or 'time'.
    actor   TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    what    TEXT   NOT NULL,
    why     TEXT   NOT NULL
);
CREATE INDEX event_subject ON event (subject);

CREATE TABLE outbox (
    id         TEXT   NOT NULL PRIMARY KEY,
    kind       TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    created_us BIGINT NOT NULL,
    done_us    BIGINT
);
CREATE INDEX outbox_open ON outbox (created_us) WHERE done_us IS NULL;
