-- Lists that pages show a piece of: each is read in its own order from an index, and no further.
CREATE INDEX tags_by_push ON tags (repository_id, pushed_at DESC, name);
CREATE INDEX repositories_by_time ON repositories (updated_at DESC, name);
CREATE INDEX repositories_by_pulls ON repositories (pulls DESC, name);
CREATE INDEX repositories_by_namespace_time ON repositories (namespace, updated_at DESC, name);
DROP INDEX repositories_by_update;
