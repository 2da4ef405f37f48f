-- A namespace that belongs to several accounts. Its name is no account's, and no account takes it later.
CREATE TABLE organisations (
  id           INTEGER PRIMARY KEY,
  name         TEXT NOT NULL UNIQUE,
  summary      TEXT NOT NULL DEFAULT '',
  members_role INTEGER NOT NULL DEFAULT 1, -- what each member may do in all its repositories: 0 nothing, 1 read, 2 write
  new_private  INTEGER NOT NULL DEFAULT 0, -- a push makes private repositories
  created_at   REAL NOT NULL
);

CREATE TABLE members (
  organisation_id INTEGER NOT NULL REFERENCES organisations ON DELETE CASCADE,
  account_id      INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
  is_owner        INTEGER NOT NULL DEFAULT 0,
  since           REAL NOT NULL,
  PRIMARY KEY (organisation_id, account_id)
) WITHOUT ROWID;
CREATE INDEX members_by_account ON members (account_id);

CREATE TABLE teams (
  id              INTEGER PRIMARY KEY,
  organisation_id INTEGER NOT NULL REFERENCES organisations ON DELETE CASCADE,
  name            TEXT NOT NULL,
  created_at      REAL NOT NULL,
  UNIQUE (organisation_id, name)
);

-- Whoever is in a team is a member of its organisation: one goes with the other.
CREATE TABLE team_members (
  team_id    INTEGER NOT NULL REFERENCES teams ON DELETE CASCADE,
  account_id INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
  PRIMARY KEY (team_id, account_id)
) WITHOUT ROWID;
CREATE INDEX team_members_by_account ON team_members (account_id);

-- Who may do what in one repository: 1 read, 2 write, 3 admin. An account need be no member for it.
CREATE TABLE account_roles (
  repository_id INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
  account_id    INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
  role          INTEGER NOT NULL,
  PRIMARY KEY (repository_id, account_id)
) WITHOUT ROWID;
CREATE INDEX account_roles_by_account ON account_roles (account_id);

CREATE TABLE team_roles (
  repository_id INTEGER NOT NULL REFERENCES repositories ON DELETE CASCADE,
  team_id       INTEGER NOT NULL REFERENCES teams ON DELETE CASCADE,
  role          INTEGER NOT NULL,
  PRIMARY KEY (repository_id, team_id)
) WITHOUT ROWID;
CREATE INDEX team_roles_by_team ON team_roles (team_id);
