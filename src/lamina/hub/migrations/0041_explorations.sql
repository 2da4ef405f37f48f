-- When somebody is to look into an image next; NULL: nothing is to be done. What was here before has its turn, too.
ALTER TABLE manifests ADD COLUMN look_at REAL DEFAULT 0;
CREATE INDEX manifests_to_look_into ON manifests (id) WHERE look_at IS NOT NULL;

-- What was found, or why nothing was.
CREATE TABLE explorations (
  manifest_id INTEGER PRIMARY KEY REFERENCES manifests ON DELETE CASCADE,
  state       TEXT NOT NULL,              -- 'looking', 'done', 'later', 'failed'
  worker      TEXT NOT NULL,              -- who looks, or looked last
  tries       INTEGER NOT NULL,
  trouble     TEXT NOT NULL DEFAULT '',   -- in words for people
  since       REAL NOT NULL,
  efficiency  REAL NOT NULL DEFAULT 0,
  wasted      INTEGER NOT NULL DEFAULT 0, -- bytes
  packages    INTEGER NOT NULL DEFAULT 0,
  secrets     INTEGER NOT NULL DEFAULT 0,
  parts       TEXT NOT NULL DEFAULT ''    -- digests of blobs: the indexes of its layers, lowest first, and the
                                          -- list of its paths, blanks between
) WITHOUT ROWID;

CREATE TABLE exploration_answers (
  manifest_id INTEGER PRIMARY KEY REFERENCES manifests ON DELETE CASCADE,
  answers     BLOB NOT NULL               -- JSON, zstd
) WITHOUT ROWID;

-- Indexes of layers, made once however many images have the layer.
CREATE TABLE layer_indexes (
  layer  TEXT PRIMARY KEY,                -- its digest; or, where the layers below have a say, a digest of theirs, too
  digest TEXT NOT NULL REFERENCES blobs ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX layer_indexes_by_blob ON layer_indexes (digest);
