-- Who signs in by way of another site: its name of itself and of the person. An e-mail proves nothing.
CREATE TABLE identities (
  issuer     TEXT NOT NULL,
  subject    TEXT NOT NULL,
  account_id INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
  label      TEXT NOT NULL,               -- what the person knows it by: an e-mail, a name there
  created_at REAL NOT NULL,
  PRIMARY KEY (issuer, subject)
) WITHOUT ROWID;
CREATE INDEX identities_by_account ON identities (account_id);
