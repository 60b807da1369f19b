-- Hosted connections: a share of a parent's wire, for another account.

-- What makes a row of `connection` a hosted one. Location, bandwidth, port and light are its
-- parent's, and read there; its own columns for them stay as they were at first, or empty.
CREATE TABLE hosted_connection (
    connection       TEXT   NOT NULL PRIMARY KEY REFERENCES connection (id),
    parent           TEXT   NOT NULL REFERENCES connection (id),
    vlan             BIGINT NOT NULL,
    capacity         TEXT   NOT NULL,
    -- Awaited, lapsed, rejected: at most one is set. None: confirmed.
    confirm_until_us BIGINT,
    lapsed_us        BIGINT,
    rejected_us      BIGINT
);
CREATE INDEX hosted_connection_parent ON hosted_connection (parent);
CREATE INDEX hosted_connection_awaited ON hosted_connection (confirm_until_us)
    WHERE confirm_until_us IS NOT NULL;

-- Who has a VLAN of a connection: an interface, or a hosted connection, while it lives. The code
-- looks here first; the key is for when it is wrong.
CREATE TABLE wire_vlan (
    connection TEXT   NOT NULL REFERENCES connection (id),
    vlan       BIGINT NOT NULL,
    -- An interface's id, or a connection's.
    holder     TEXT   NOT NULL UNIQUE,
    PRIMARY KEY (connection, vlan)
);
INSERT INTO wire_vlan (connection, vlan, holder)
    SELECT connection, vlan, id FROM interface
    WHERE deleted_us IS NULL AND expired_us IS NULL AND rejected_us IS NULL;
