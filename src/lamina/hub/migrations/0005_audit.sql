-- Who did what, when and from where. Names stay as they were, whatever becomes of their owners.
CREATE TABLE audit (
  id       INTEGER PRIMARY KEY,
  at       REAL NOT NULL,
  account  TEXT NOT NULL,                 -- '': nobody, as with a refused login
  action   TEXT NOT NULL,                 -- push, delete, login refused
  subject  TEXT NOT NULL,                 -- what it was done to: alice/app:v1, an account, a token
  address  TEXT NOT NULL,
  token    TEXT NOT NULL DEFAULT '',      -- the id of the access token it was done with
  request  TEXT NOT NULL                  -- the request's id, as the answer's X-Request-Id said it
);
CREATE INDEX audit_by_account ON audit (account, id);
CREATE INDEX audit_by_action ON audit (action, id);
CREATE INDEX audit_by_age ON audit (at);
