-- The physical side of locations. A location that has a meet-me room keeps its inventory: orders beyond its ports are
-- refused there.

CREATE TABLE meet_me_room (
    location    TEXT NOT NULL REFERENCES location (code),
    name        TEXT NOT NULL,
    data_centre TEXT NOT NULL,
    PRIMARY KEY (location, name)
);

CREATE TABLE panel (
    location  TEXT   NOT NULL,
    room      TEXT   NOT NULL,
    name      TEXT   NOT NULL,
    positions BIGINT NOT NULL,
    connector TEXT   NOT NULL,
    PRIMARY KEY (location, room, name),
    FOREIGN KEY (location, room) REFERENCES meet_me_room (location, name)
);

-- What the operator says is plugged in it, and the position of a panel (LOCATION/ROOM/PANEL/NUMBER) to whose back it
-- is wired.
ALTER TABLE port ADD COLUMN optics TEXT;
ALTER TABLE port ADD COLUMN position TEXT;
CREATE UNIQUE INDEX port_position ON port (position) WHERE position IS NOT NULL;

-- What a connection's fibre runs through, from its approval on. The place is kept as it was: ports are wired anew later.
CREATE TABLE cross_connect (
    connection   TEXT   NOT NULL PRIMARY KEY REFERENCES connection (id),
    router       TEXT   NOT NULL,
    port         TEXT   NOT NULL,
    position     TEXT,
    ordered_us   BIGINT NOT NULL,
    patched_us   BIGINT,
    -- None: light has shown it, and nobody has said who.
    patched_by   TEXT,
    unpatched_us BIGINT,
    unpatched_by TEXT
);
CREATE INDEX cross_connect_ordered ON cross_connect (ordered_us);

-- Of connections from before, what their ports have shown.
INSERT INTO cross_connect (connection, router, port, ordered_us, patched_us, unpatched_us)
    SELECT id, router, port, approved_us, light_since_us, port_freed_us FROM connection
     WHERE router IS NOT NULL AND port IS NOT NULL AND approved_us IS NOT NULL;

-- Orders that wait for a port, counted where there are only so many.
CREATE INDEX connection_waiting ON connection (location, bandwidth)
    WHERE approved_us IS NULL AND deleted_us IS NULL;
