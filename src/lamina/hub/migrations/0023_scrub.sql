-- When a blob's bytes were last compared with its digest, and what was found: '', 'damaged' or 'missing'.
-- What is not well is not shown, so that the next push brings it anew.
ALTER TABLE blobs ADD COLUMN checked_at REAL NOT NULL DEFAULT 0;
ALTER TABLE blobs ADD COLUMN damage TEXT NOT NULL DEFAULT '';
CREATE INDEX blobs_damaged ON blobs (digest) WHERE damage <> '';
