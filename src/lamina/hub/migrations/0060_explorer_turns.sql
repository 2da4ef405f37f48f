-- When a namespace last had a turn at being looked into: images of others come first, however many it pushed.
CREATE TABLE explorer_turns (
  namespace TEXT PRIMARY KEY,
  turn      REAL NOT NULL
) WITHOUT ROWID;

-- By repository, so that who waits is found without going through all that waits.
DROP INDEX manifests_to_look_into;
CREATE INDEX manifests_to_look_into ON manifests (repository_id, id, look_at) WHERE look_at IS NOT NULL;
