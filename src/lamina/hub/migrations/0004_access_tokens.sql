-- Personal access tokens: take the place of a password where no person types it.
CREATE TABLE access_tokens (
  id         TEXT PRIMARY KEY,            -- random, never given twice: short tokens name it
  token      BLOB NOT NULL UNIQUE,        -- SHA-256 of what the holder has
  account_id INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
  name       TEXT NOT NULL,
  targets    TEXT NOT NULL DEFAULT '',    -- namespaces and repositories, blanks between; '': everything
  actions    TEXT NOT NULL,               -- of pull, push, delete; commas between
  created_at REAL NOT NULL,
  expires_at REAL,                        -- NULL: never
  used_at    REAL,                        -- the last time, to the minute; NULL: never
  used_from  TEXT NOT NULL DEFAULT '',    -- the address it was last used from
  UNIQUE (account_id, name)
) WITHOUT ROWID;
