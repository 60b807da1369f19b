-- The operator's desk.

-- An order that the operator refused, and what the customer was told. Its row is `deleted` from then on.
ALTER TABLE connection ADD COLUMN refused_us BIGINT;
ALTER TABLE connection ADD COLUMN refusal TEXT;

-- What the letter's QR code leads to. Letters from before get theirs when the server starts.
ALTER TABLE letter ADD COLUMN token TEXT;
CREATE UNIQUE INDEX letter_token ON letter (token) WHERE token IS NOT NULL;

-- Those without light are looked for again and again, among very many that have it.
CREATE INDEX connection_dark ON connection (id)
    WHERE approved_us IS NOT NULL AND COALESCE(light, 0) = 0 AND deleted_us IS NULL;
