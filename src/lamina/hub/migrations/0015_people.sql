-- What people say of themselves, and whether they may log in.
ALTER TABLE accounts ADD COLUMN display_name TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN email TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN shows_email INTEGER NOT NULL DEFAULT 0;  -- on the person's page
ALTER TABLE accounts ADD COLUMN about TEXT NOT NULL DEFAULT '';          -- Markdown
ALTER TABLE accounts ADD COLUMN disabled_at REAL;                        -- NULL: may log in
CREATE INDEX accounts_by_email ON accounts (email) WHERE email <> '';

-- Where a session is used, so that its owner knows it in a list.
ALTER TABLE sessions ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN agent TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN used_at REAL NOT NULL DEFAULT 0;

-- Links that work once: to choose a new password, to register.
CREATE TABLE one_time_links (
  token      BLOB PRIMARY KEY,            -- SHA-256 of what the link holds
  kind       TEXT NOT NULL,               -- reset, invitation
  account_id INTEGER REFERENCES accounts ON DELETE CASCADE,  -- whose password; NULL: an invitation
  made_by    TEXT NOT NULL,               -- '': the command line, or the person by mail
  created_at REAL NOT NULL,
  expires_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX one_time_links_by_account ON one_time_links (account_id);
CREATE INDEX one_time_links_by_age ON one_time_links (expires_at);

-- Names of accounts that were deleted: nobody gets them again, images elsewhere may name them.
CREATE TABLE former_names (
  name  TEXT PRIMARY KEY,
  since REAL NOT NULL
) WITHOUT ROWID;
