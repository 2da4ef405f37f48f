CREATE TABLE secrets (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE accounts (
  id         INTEGER PRIMARY KEY,
  name       TEXT NOT NULL UNIQUE,
  password   TEXT NOT NULL,               -- argon2id, PHC string
  is_admin   INTEGER NOT NULL DEFAULT 0,
  created_at REAL NOT NULL
);

CREATE TABLE sessions (
  token      BLOB PRIMARY KEY,            -- SHA-256 of what the browser holds
  account_id INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
  created_at REAL NOT NULL,
  expires_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_by_account ON sessions (account_id);

CREATE TABLE refresh_tokens (
  token      BLOB PRIMARY KEY,            -- SHA-256 of what the client holds
  account_id INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
  client     TEXT NOT NULL,
  created_at REAL NOT NULL,
  expires_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX refresh_tokens_by_account ON refresh_tokens (account_id);

CREATE TABLE repositories (
  id          INTEGER PRIMARY KEY,
  name        TEXT NOT NULL UNIQUE,       -- alice/app
  namespace   TEXT NOT NULL,              -- alice
  is_private  INTEGER NOT NULL DEFAULT 0,
  summary     TEXT NOT NULL DEFAULT '',
  readme      TEXT NOT NULL DEFAULT '',
  pulls       INTEGER NOT NULL DEFAULT 0,
  created_at  REAL NOT NULL,
  updated_at  REAL NOT NULL
);
CREATE INDEX repositories_by_namespace ON repositories (namespace, name);
CREATE INDEX repositories_by_update ON repositories (is_private, updated_at DESC);

CREATE TABLE pulls (
  repository_id INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
  day           INTEGER NOT NULL,         -- days since 1970, UTC
  count         INTEGER NOT NULL,
  PRIMARY KEY (repository_id, day)
) WITHOUT ROWID;

-- A blob is stored once, whoever pushed it; links say which repositories may show it.
CREATE TABLE blobs (
  digest      TEXT PRIMARY KEY,
  size        INTEGER NOT NULL,
  released_at REAL                        -- since when no link holds it; NULL while one does
) WITHOUT ROWID;
CREATE INDEX blobs_released ON blobs (released_at) WHERE released_at IS NOT NULL;

CREATE TABLE links (
  repository_id INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
  digest        TEXT NOT NULL REFERENCES blobs,
  loose_at      REAL,                     -- since when no manifest of the repository names it:
                                          -- a push in flight may count on it; NULL while one does
  PRIMARY KEY (repository_id, digest)
) WITHOUT ROWID;
CREATE INDEX links_by_digest ON links (digest);
CREATE INDEX links_loose ON links (loose_at) WHERE loose_at IS NOT NULL;

CREATE TABLE manifests (
  id            INTEGER PRIMARY KEY,
  repository_id INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
  digest        TEXT NOT NULL,
  media_type    TEXT NOT NULL,
  raw           BLOB NOT NULL,            -- as sent
  artifact_type TEXT NOT NULL DEFAULT '',
  subject       TEXT NOT NULL DEFAULT '',
  config        TEXT NOT NULL DEFAULT '',
  platforms     TEXT NOT NULL DEFAULT '', -- linux/amd64, comma between
  content_size  INTEGER NOT NULL,         -- bytes of config and layers; of an index: its children's
  pushed_at     REAL NOT NULL,
  pushed_by     TEXT NOT NULL,
  doomed_at     REAL,                     -- its name was deleted by a person; swept after the grace
  UNIQUE (repository_id, digest)
);
CREATE INDEX manifests_by_subject ON manifests (repository_id, subject) WHERE subject <> '';
CREATE INDEX manifests_doomed ON manifests (doomed_at) WHERE doomed_at IS NOT NULL;

CREATE TABLE parts (
  manifest_id INTEGER NOT NULL REFERENCES manifests ON DELETE CASCADE,
  digest      TEXT NOT NULL,
  is_manifest INTEGER NOT NULL,           -- a child of an index, else a blob
  PRIMARY KEY (manifest_id, digest)
) WITHOUT ROWID;
CREATE INDEX parts_by_digest ON parts (digest);

CREATE TABLE tags (
  repository_id INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
  name          TEXT NOT NULL,
  manifest_id   INTEGER NOT NULL REFERENCES manifests ON DELETE CASCADE,
  pushed_at     REAL NOT NULL,
  pushed_by     TEXT NOT NULL,
  PRIMARY KEY (repository_id, name)
) WITHOUT ROWID;
CREATE INDEX tags_by_manifest ON tags (manifest_id);

CREATE TABLE uploads (
  id            TEXT PRIMARY KEY,
  repository_id INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
  account       TEXT NOT NULL,
  digest        TEXT NOT NULL DEFAULT '', -- a lease on that blob while the upload is being closed
  touched_at    REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX uploads_by_digest ON uploads (digest) WHERE digest <> '';
CREATE INDEX uploads_by_age ON uploads (touched_at);
