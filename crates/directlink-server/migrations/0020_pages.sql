-- Long lists are read a page at a time, in order of creation.
CREATE INDEX connection_time ON connection (requested_us, id);
CREATE INDEX interface_time ON interface (created_us, id);
-- The queue of orders, among very many that are approved.
CREATE INDEX connection_queue ON connection (requested_us) WHERE approved_us IS NULL AND deleted_us IS NULL;
