-- What a customer tells with an order.
CREATE TABLE order_needs (
    connection      TEXT   NOT NULL PRIMARY KEY REFERENCES connection (id),
    -- 'router', 'fibre', or not said.
    reach           TEXT,
    provider        TEXT,
    hosts_equipment BIGINT NOT NULL
);

-- When the letter was issued anew. None: with the approval.
ALTER TABLE connection ADD COLUMN letter_us BIGINT;
