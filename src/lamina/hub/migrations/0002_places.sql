-- Bytes never lie where others lay before: each blob has a place of its own, chosen when it came in.
-- So a sweep that drops old bytes and a push that brings the same blob anew cannot meet.
ALTER TABLE blobs ADD COLUMN place TEXT NOT NULL DEFAULT '';  -- '': named by its digest, as before this step
CREATE INDEX blobs_by_place ON blobs (place) WHERE place <> '';

-- Bytes that no row names any more; the sweep drops them after the grace.
CREATE TABLE leftovers (
  place  TEXT NOT NULL,
  digest TEXT NOT NULL,                   -- '': an upload that never became a blob
  since  REAL NOT NULL,
  PRIMARY KEY (place, digest)
) WITHOUT ROWID;
CREATE INDEX leftovers_by_age ON leftovers (since);

-- An upload that is being closed needs no lease on its digest any more.
DROP INDEX uploads_by_digest;
ALTER TABLE uploads DROP COLUMN digest;
