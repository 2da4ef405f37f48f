-- How far an upload is, for storage that cannot tell by itself (S3): what counts is what stands here.
CREATE TABLE progress (
  upload_id TEXT PRIMARY KEY REFERENCES uploads ON DELETE CASCADE,
  writer    INTEGER NOT NULL,             -- who may go on: each that comes takes the next number
  received  INTEGER NOT NULL DEFAULT 0,   -- bytes in parts and tail
  running   TEXT NOT NULL DEFAULT '',     -- SHA-256 of those bytes, hex; '': not known
  multipart TEXT NOT NULL DEFAULT '',     -- S3's name of the upload of parts; '': none yet
  tail      TEXT NOT NULL DEFAULT ''      -- the object with what came after the last part; '': none
) WITHOUT ROWID;

CREATE TABLE segments (
  upload_id TEXT NOT NULL REFERENCES progress ON DELETE CASCADE,
  number    INTEGER NOT NULL,             -- from 1
  etag      TEXT NOT NULL,
  size      INTEGER NOT NULL,
  PRIMARY KEY (upload_id, number)
) WITHOUT ROWID;

-- A sweep says that it takes a leftover before it drops the bytes: from then on no row may name them.
ALTER TABLE leftovers ADD COLUMN is_claimed INTEGER NOT NULL DEFAULT 0;

-- Wrong passwords of a while, so that every process and each restart knows of them.
CREATE TABLE failures (
  id      INTEGER PRIMARY KEY,
  name    TEXT NOT NULL,
  address TEXT NOT NULL,
  at      REAL NOT NULL
);
CREATE INDEX failures_by_account ON failures (address, name, at);
CREATE INDEX failures_by_address ON failures (address, at);
CREATE INDEX failures_by_age ON failures (at);

-- Chores that one process does for all; until when nobody else need.
CREATE TABLE turns (
  chore TEXT PRIMARY KEY,
  until REAL NOT NULL
) WITHOUT ROWID;
