-- What accounts are told by mail. A row is written in the transaction that makes the fact, sent once, and stays:
-- the same fact is not told again.
CREATE TABLE mail (
    -- Its Message-ID too, so that one that is sent again after a crash is known as the same.
    id          TEXT   NOT NULL PRIMARY KEY,
    kind        TEXT   NOT NULL,
    subject     TEXT   NOT NULL,
    account     TEXT   NOT NULL REFERENCES account (id),
    -- The moment of the fact.
    at_us       BIGINT NOT NULL,
    created_us  BIGINT NOT NULL,
    -- Each attempt is written down before it is made.
    attempts    BIGINT NOT NULL,
    next_try_us BIGINT NOT NULL,
    -- Why the last attempt failed, or why there will be none.
    failure     TEXT,
    -- At most one of them is set.
    sent_us     BIGINT,
    dropped_us  BIGINT
);
CREATE UNIQUE INDEX mail_once ON mail (kind, subject, account, at_us);
CREATE INDEX mail_due ON mail (next_try_us) WHERE sent_us IS NULL AND dropped_us IS NULL;
CREATE INDEX mail_created ON mail (created_us);

-- The outbox kept what was to be sent while nothing sent it.
INSERT INTO mail (id, kind, subject, account, at_us, created_us, attempts, next_try_us)
    SELECT o.id, o.kind, o.subject, c.account, o.created_us, o.created_us, 0, o.created_us
    FROM outbox o JOIN connection c ON c.id = o.subject WHERE o.done_us IS NULL;
DROP TABLE outbox;
