-- Search walks repositories in the order in which they are shown, and needs nothing but this index until one matches.
DROP INDEX repositories_by_pulls;
CREATE INDEX repositories_by_pulls
  ON repositories (pulls DESC, updated_at DESC, name, summary, namespace, is_private);
-- Those that are named so come first: what stands after the last slash.
CREATE INDEX repositories_by_last_name ON repositories
  (substr(name, length(rtrim(name, replace(name, '/', ''))) + 1), pulls DESC, updated_at DESC, name);
