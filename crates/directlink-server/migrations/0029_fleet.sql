-- What a server knows by itself where it is alone, and has to share where it is not. A server that has a file for itself
-- leaves these empty.

-- The newest stream of each router's agent. A report that came on an earlier one is not taken.
CREATE TABLE agent (
    router      TEXT   NOT NULL PRIMARY KEY REFERENCES router (name),
    stream      TEXT   NOT NULL,
    build       TEXT   NOT NULL,
    seen_us     BIGINT NOT NULL,
    is_attached BIGINT NOT NULL
);

-- What it last said of a port: news at once, all else a few seconds late.
CREATE TABLE port_report (
    router      TEXT   NOT NULL,
    port        TEXT   NOT NULL,
    light       BIGINT NOT NULL,
    transceiver TEXT,
    document    TEXT   NOT NULL,
    PRIMARY KEY (router, port)
);

-- Wrong attempts in a row with a credential.
CREATE TABLE wrong_secret (
    credential      TEXT   NOT NULL PRIMARY KEY,
    in_a_row        BIGINT NOT NULL,
    at_us           BIGINT NOT NULL,
    locked_until_us BIGINT
);
CREATE INDEX wrong_secret_at ON wrong_secret (at_us);

-- When the bucket of a caller's calls is full again.
CREATE TABLE bucket (
    caller     TEXT   NOT NULL PRIMARY KEY,
    full_at_us BIGINT NOT NULL
);
CREATE INDEX bucket_full ON bucket (full_at_us);
