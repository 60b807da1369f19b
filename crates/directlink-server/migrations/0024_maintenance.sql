-- Work on something of the Region's. While it runs, interfaces there are drained.
CREATE TABLE maintenance (
    id           TEXT   NOT NULL PRIMARY KEY,
    -- interface, connection, router or location, and which one.
    target_kind  TEXT   NOT NULL,
    target       TEXT   NOT NULL,
    reason       TEXT   NOT NULL,
    from_us      BIGINT NOT NULL,
    -- NULL: until the operator ends it.
    until_us     BIGINT,
    at_most_us   BIGINT NOT NULL,
    planned_us   BIGINT NOT NULL,
    moved_us     BIGINT,
    begun_us     BIGINT,
    ended_us     BIGINT,
    cancelled_us BIGINT
);
CREATE INDEX maintenance_open ON maintenance (from_us) WHERE ended_us IS NULL AND cancelled_us IS NULL;
CREATE INDEX maintenance_from ON maintenance (from_us);

-- Of an interface that is drained, or comes back: all NULL where it is not.
ALTER TABLE interface ADD COLUMN drain_asked_us BIGINT;
ALTER TABLE interface ADD COLUMN drain_at_most_us BIGINT;
ALTER TABLE interface ADD COLUMN drain_withdrawn_us BIGINT;
ALTER TABLE interface ADD COLUMN drain_returning_us BIGINT;
-- What its router's counters have shown.
ALTER TABLE interface ADD COLUMN drain_packets BIGINT;
ALTER TABLE interface ADD COLUMN drain_traffic_us BIGINT;
ALTER TABLE interface ADD COLUMN drain_heard_us BIGINT;
CREATE INDEX interface_drain ON interface (drain_asked_us) WHERE drain_asked_us IS NOT NULL;
