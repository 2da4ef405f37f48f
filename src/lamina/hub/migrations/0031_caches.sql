-- Namespaces that stand for other registries: what is pulled from them is fetched there and kept.
CREATE TABLE caches (
  namespace  TEXT PRIMARY KEY,            -- an organisation's or an account's
  upstream   TEXT NOT NULL,               -- docker.io, registry.example:5000, quay.io/team
  username   TEXT NOT NULL DEFAULT '',
  password   TEXT NOT NULL DEFAULT '',    -- as it is: the other registry gets it
  is_private INTEGER NOT NULL DEFAULT 0,  -- only who may read the namespace may pull
  is_default INTEGER NOT NULL DEFAULT 0,  -- names that are nobody's here are looked for there, too
  fresh_s    INTEGER NOT NULL,            -- how long a tag is believed
  keep_s     INTEGER NOT NULL,            -- how long what nobody pulls is kept
  created_at REAL NOT NULL,
  created_by TEXT NOT NULL
) WITHOUT ROWID;

-- When a tag was last compared with its registry.
CREATE TABLE cached_tags (
  repository_id INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
  name          TEXT NOT NULL,
  checked_at    REAL NOT NULL,
  PRIMARY KEY (repository_id, name)
) WITHOUT ROWID;

-- When a manifest was last pulled, to the hour.
CREATE TABLE cached_uses (
  manifest_id INTEGER NOT NULL REFERENCES manifests ON DELETE CASCADE,
  used_at     REAL NOT NULL,
  PRIMARY KEY (manifest_id)
) WITHOUT ROWID;
CREATE INDEX cached_uses_by_age ON cached_uses (used_at);
