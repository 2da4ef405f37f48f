-- How many bytes of blobs a repository or a namespace may have. Each counts a digest once.
CREATE TABLE quotas (
  target TEXT PRIMARY KEY,                -- a repository, a namespace; 'hub': each namespace without its own
  size   INTEGER,                         -- NULL: what 'hub' says
  used   INTEGER NOT NULL                 -- kept by whoever adds and takes links; of 'hub': 0
) WITHOUT ROWID;
