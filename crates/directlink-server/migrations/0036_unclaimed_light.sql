-- What is seen of a port while it carries nothing. Light there is of a fibre that was plugged for nobody.
ALTER TABLE port ADD COLUMN light BIGINT;
ALTER TABLE port ADD COLUMN light_since_us BIGINT;
-- The operator has released the port although it is lit.
ALTER TABLE port ADD COLUMN light_is_meant BIGINT;
