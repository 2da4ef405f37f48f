-- Repositories that are filled from other registries every few hours.
CREATE TABLE mirrors (
  id            TEXT PRIMARY KEY,
  target        TEXT NOT NULL,            -- the repository here
  source        TEXT NOT NULL,            -- docker.io/library/debian
  tags          TEXT NOT NULL,            -- patterns, blanks between
  every_s       INTEGER NOT NULL,
  deletes       INTEGER NOT NULL DEFAULT 0, -- what is gone there goes here
  username      TEXT NOT NULL DEFAULT '',
  password      TEXT NOT NULL DEFAULT '',
  next_at       REAL NOT NULL,
  running_until REAL NOT NULL DEFAULT 0,  -- somebody's at work on it until then, unless they say more
  created_at    REAL NOT NULL,
  created_by    TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX mirrors_due ON mirrors (next_at);

CREATE TABLE mirror_runs (
  id        TEXT PRIMARY KEY,
  mirror_id TEXT NOT NULL REFERENCES mirrors ON DELETE CASCADE,
  began_at  REAL NOT NULL,
  ended_at  REAL,                         -- NULL: it runs
  state     TEXT NOT NULL,                -- running, done, failed
  copied    INTEGER NOT NULL DEFAULT 0,   -- tags
  same      INTEGER NOT NULL DEFAULT 0,
  removed   INTEGER NOT NULL DEFAULT 0,
  failed    INTEGER NOT NULL DEFAULT 0,
  size      INTEGER NOT NULL DEFAULT 0,   -- bytes of blobs that came
  log       TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX mirror_runs_by_mirror ON mirror_runs (mirror_id, began_at);
