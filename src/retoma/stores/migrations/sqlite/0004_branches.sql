-- Forks share their past by reference: these stretches of other journals come before their own events.

-- Events first_seq to last_seq of the session `session` are the rows of the journal with the number `source`. The line of
-- ancestors is flat here: whatever a fork was made of, each stretch names the journal that has the rows. The number of a
-- deleted session stays, for as long as a fork reads of it.
CREATE TABLE segment (
  session   INTEGER NOT NULL,
  first_seq INTEGER NOT NULL,
  last_seq  INTEGER NOT NULL,
  source    INTEGER NOT NULL,
  PRIMARY KEY (session, last_seq)
) WITHOUT ROWID;
-- Who reads of a journal; and a second copy of each row.
CREATE INDEX segment_source ON segment (source, last_seq, first_seq, session);

-- Which key made a session: after an undo it leads to the line that took its place.
CREATE INDEX operation_result ON operation (tenant, result);
