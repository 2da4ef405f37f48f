-- Which tags and manifests go by themselves. A repository's own rule holds, else its namespace's, else the hub's.
CREATE TABLE retention (
  target             TEXT PRIMARY KEY,    -- a repository, a namespace, or 'hub'
  keep_newest        INTEGER,             -- of each condition: NULL where it is not asked for
  pushed_within_days INTEGER,
  pulled_within_days INTEGER,
  keep_like          TEXT NOT NULL,       -- patterns of tags that never go, blanks between
  only_like          TEXT NOT NULL,       -- patterns of the tags that may go; '': any
  untagged_days      INTEGER,
  changed_at         REAL NOT NULL,
  changed_by         TEXT NOT NULL
) WITHOUT ROWID;

-- When somebody last asked for it, by tag or digest, to the hour; NULL: never since this step.
ALTER TABLE manifests ADD COLUMN pulled_at REAL;
-- When it last lost a tag to another manifest, or was pushed again; NULL: never.
ALTER TABLE manifests ADD COLUMN untagged_at REAL;
