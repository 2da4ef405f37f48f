-- Who is told of what happens in a namespace or a repository.
CREATE TABLE webhooks (
  id         TEXT PRIMARY KEY,
  scope      TEXT NOT NULL,               -- alice, or alice/app
  url        TEXT NOT NULL,
  secret     TEXT NOT NULL,               -- signs what is sent: the receiver has it, too
  events     TEXT NOT NULL,               -- of push, move, delete, pull; commas between
  is_active  INTEGER NOT NULL DEFAULT 1,
  created_at REAL NOT NULL,
  created_by TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX webhooks_by_scope ON webhooks (scope);

-- What is to be told, written with the deed itself, and then how the telling went.
CREATE TABLE deliveries (
  id         TEXT PRIMARY KEY,
  webhook_id TEXT NOT NULL REFERENCES webhooks ON DELETE CASCADE,
  event_id   TEXT NOT NULL,               -- the same however often it is told
  event      TEXT NOT NULL,
  subject    TEXT NOT NULL,               -- alice/app:v1
  body       BLOB NOT NULL,
  made_at    REAL NOT NULL,
  next_at    REAL,                        -- when it is to be tried; NULL: never again
  attempts   INTEGER NOT NULL DEFAULT 0,
  state      TEXT NOT NULL,               -- waiting, delivered, failed
  status     INTEGER NOT NULL DEFAULT 0,  -- of the last answer; 0: none
  asked      TEXT NOT NULL DEFAULT '',    -- the head of the last request
  answered   TEXT NOT NULL DEFAULT '',    -- the head of the last answer and its body's beginning, or why none came
  took_s     REAL NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX deliveries_due ON deliveries (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX deliveries_by_webhook ON deliveries (webhook_id, made_at);
CREATE INDEX deliveries_by_age ON deliveries (made_at);
