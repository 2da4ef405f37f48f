-- What a push in flight counts on, known to every process that sweeps.
-- When a push last brought the blob there, mounted it or asked for it while it was loose.
ALTER TABLE links ADD COLUMN awaited_at REAL NOT NULL DEFAULT 0;

-- When something was last pushed there; half a minute exact.
ALTER TABLE repositories ADD COLUMN busy_at REAL NOT NULL DEFAULT 0;
