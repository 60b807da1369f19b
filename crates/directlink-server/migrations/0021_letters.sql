-- The latest letters first.
CREATE INDEX connection_letter ON connection (COALESCE(letter_us, approved_us)) WHERE approved_us IS NOT NULL;
