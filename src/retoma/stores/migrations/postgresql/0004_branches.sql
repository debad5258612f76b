-- Forks share their past by reference: these stretches of other journals come before their own events.

-- Events first_seq to last_seq of the session `session` are the rows of the journal with the number `source`. The line of
-- ancestors is flat here: whatever a fork was made of, each stretch names the journal that has the rows. The number of a
-- deleted session stays, for as long as a fork reads of it.
CREATE TABLE segment (
  session   BIGINT NOT NULL,
  first_seq BIGINT NOT NULL,
  last_seq  BIGINT NOT NULL,
  source    BIGINT NOT NULL,
  PRIMARY KEY (session, last_seq)
);
CREATE INDEX segment_source ON segment (source, last_seq, first_seq);

-- Which key made a session: after an undo it leads to the line that took its place.
CREATE INDEX operation_result ON operation (tenant, result);
