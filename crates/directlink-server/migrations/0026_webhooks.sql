-- Where accounts want to be told of what happens to their connections and interfaces.
CREATE TABLE webhook (
    id         TEXT   NOT NULL PRIMARY KEY,
    account    TEXT   NOT NULL REFERENCES account (id),
    url        TEXT   NOT NULL,
    -- Each message is signed with it, so it is here as it is.
    secret     TEXT   NOT NULL,
    created_us BIGINT NOT NULL,
    removed_us BIGINT
);
CREATE INDEX webhook_account ON webhook (account);

-- What is to be told, and what was: each event once to each webhook.
CREATE TABLE webhook_message (
    -- The header webhook-id too, so that one that is sent again after a crash is known as the same.
    id          TEXT   NOT NULL PRIMARY KEY,
    webhook     TEXT   NOT NULL REFERENCES webhook (id),
    event       TEXT   NOT NULL REFERENCES event (id),
    -- The event's moment.
    at_us       BIGINT NOT NULL,
    kind        TEXT   NOT NULL,
    subject     TEXT   NOT NULL,
    body        TEXT   NOT NULL,
    -- Each attempt is written down before it is made.
    attempts    BIGINT NOT NULL,
    next_try_us BIGINT NOT NULL,
    -- Why the last attempt failed, or why there will be none.
    failure     TEXT,
    -- At most one of them is set.
    sent_us     BIGINT,
    dropped_us  BIGINT
);
CREATE UNIQUE INDEX webhook_message_once ON webhook_message (webhook, event);
CREATE INDEX webhook_message_due ON webhook_message (next_try_us) WHERE sent_us IS NULL AND dropped_us IS NULL;
CREATE INDEX webhook_message_at ON webhook_message (at_us);
