-- What of a router's documents is new is asked at each change: answered without reading one.
CREATE INDEX plan_news ON plan (router, planned_us, scope, generation);
