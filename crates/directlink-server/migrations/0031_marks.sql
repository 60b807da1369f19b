-- What is to be planned anew is marked by each act with a row of its own. One that found an older mark, and left it at that,
-- was not planned where a planner that had not yet seen the act took that mark away: two acts that PostgreSQL takes for independent,
-- since nobody had read a row that the other wrote.

CREATE TABLE marked_port (
    router TEXT NOT NULL,
    port   TEXT NOT NULL,
    -- Of the act; none in what an older version wrote.
    mark   TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (router, port, mark)
);
INSERT INTO marked_port (router, port) SELECT router, port FROM dirty_port;
DROP TABLE dirty_port;
ALTER TABLE marked_port RENAME TO dirty_port;

CREATE TABLE marked_net (
    net  TEXT NOT NULL,
    mark TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (net, mark)
);
INSERT INTO marked_net (net) SELECT net FROM dirty_net;
DROP TABLE dirty_net;
ALTER TABLE marked_net RENAME TO dirty_net;
