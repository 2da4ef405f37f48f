-- How often looking into an image was put off because the machine lacked room, memory or its storage: that is no try.
ALTER TABLE explorations ADD COLUMN waits INTEGER NOT NULL DEFAULT 0;
