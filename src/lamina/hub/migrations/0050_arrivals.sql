-- Small blobs whose bytes came with the commit that names them: durable at once, files of their own soon after.
CREATE TABLE arrivals (
  id     INTEGER PRIMARY KEY,
  place  TEXT NOT NULL,
  digest TEXT NOT NULL,
  data   BLOB NOT NULL
);
CREATE UNIQUE INDEX arrivals_by_place ON arrivals (place);
