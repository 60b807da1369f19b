-- A LAG's member that the customer's router has in its bundle too, by LACP.
ALTER TABLE connection ADD COLUMN bundled BIGINT;
