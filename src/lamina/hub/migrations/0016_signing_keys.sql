-- Keys that short tokens are signed with: the newest signs, those before it are believed for a while.
CREATE TABLE signing_keys (
  id         INTEGER PRIMARY KEY,
  pem        BLOB NOT NULL,               -- private key
  made_at    REAL NOT NULL,
  retired_at REAL                         -- since when another one signs; NULL: this one does
);
INSERT INTO signing_keys (pem, made_at)
  SELECT value, 0 FROM secrets WHERE name = 'token signing key';
DELETE FROM secrets WHERE name = 'token signing key';
