-- BGP peers beside the one that an interface is born with, which stays in the interface's own row.

CREATE TABLE bgp_peer (
    id               TEXT   NOT NULL PRIMARY KEY,
    interface        TEXT   NOT NULL REFERENCES interface (id),
    asn              BIGINT NOT NULL,
    bgp_key          TEXT,
    router_address   TEXT   NOT NULL,
    customer_address TEXT   NOT NULL,
    created_us       BIGINT NOT NULL,
    configured       BIGINT NOT NULL,
    session_up       BIGINT NOT NULL,
    forwarding       BIGINT NOT NULL,
    delete_asked_us  BIGINT,
    deleted_us       BIGINT
);
CREATE INDEX bgp_peer_interface ON bgp_peer (interface, created_us);

-- Whether the table above is to be asked: most interfaces have never had a second peer.
ALTER TABLE interface ADD COLUMN has_further_peers BIGINT NOT NULL DEFAULT 0;
-- Of the peer that it was born with.
ALTER TABLE interface ADD COLUMN first_peer_delete_asked_us BIGINT;
ALTER TABLE interface ADD COLUMN first_peer_deleted_us BIGINT;
-- Whose sessions a failover test keeps shut: ids with spaces between. None: all.
ALTER TABLE interface ADD COLUMN tested_peers TEXT;

-- Likewise, of a test. None: of the peer that its interface was born with.
ALTER TABLE failover_test ADD COLUMN peers TEXT;
