-- How often looking into an image was put off because the machine lacked room, memory or its storage: that is no try.
ALTER TABLE explorations ADD COLUMN waits INTEGER NOT NULL DEFAULT 0;

-- Seek indexes that could not be made, of layers with links into lower ones: they can now. The digest is that of `{}`.
DELETE FROM layer_indexes WHERE layer LIKE 'seek pile %'
  AND digest = 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a';
