-- Notes, the flow versions that each session ran, and what is still to be erased.

-- Notes are events; this says which, so that showing a session reads no journal.
CREATE TABLE session_note (
  session BIGINT NOT NULL,
  seq     BIGINT NOT NULL,
  PRIMARY KEY (session, seq)
);

-- Which sessions ran a version of a flow: a version goes with the last of them.
CREATE TABLE flow_use (
  tenant  BIGINT NOT NULL,
  hash    BYTEA  NOT NULL,
  session BIGINT NOT NULL,
  PRIMARY KEY (tenant, hash, session)
);
CREATE INDEX flow_use_session ON flow_use (session);
INSERT INTO flow_use (tenant, hash, session)
SELECT tenant, flow_version, pk FROM session WHERE flow_version IS NOT NULL;

-- Journals whose events up to `last_seq` are still to be deleted.
CREATE TABLE erasing (
  tenant   BIGINT NOT NULL,
  session  BIGINT NOT NULL,
  last_seq BIGINT NOT NULL,
  PRIMARY KEY (tenant, session)
);
