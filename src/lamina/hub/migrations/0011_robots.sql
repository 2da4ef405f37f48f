-- Logins of programs: each belongs to a namespace, not to a person, and has a token for a password.
CREATE TABLE robots (
  id              TEXT PRIMARY KEY,       -- random, never given twice: short tokens name it
  token           BLOB NOT NULL UNIQUE,   -- SHA-256 of what the robot has
  namespace       TEXT NOT NULL,          -- acme; its login is acme+name
  account_id      INTEGER REFERENCES accounts ON DELETE CASCADE,       -- whose namespace it is:
  organisation_id INTEGER REFERENCES organisations ON DELETE CASCADE,  -- one of the two
  name            TEXT NOT NULL,
  targets         TEXT NOT NULL DEFAULT '', -- repositories, blanks between; '': the whole namespace
  actions         TEXT NOT NULL,          -- of pull, push, delete; commas between
  created_by      TEXT NOT NULL,
  created_at      REAL NOT NULL,
  expires_at      REAL,                   -- NULL: never
  used_at         REAL,                   -- the last time, to the minute; NULL: never
  used_from       TEXT NOT NULL DEFAULT '',
  UNIQUE (namespace, name)
) WITHOUT ROWID;
CREATE INDEX robots_by_account ON robots (account_id);
CREATE INDEX robots_by_organisation ON robots (organisation_id);
