-- The operator's desk.

-- An order that the operator refused, and what the customer was told. Its row is `deleted` from then on.
ALTER TABLE connection ADD COLUMN refused_us BIGINT;
ALTER TABLE connection ADD COLUMN refusal TEXT;
