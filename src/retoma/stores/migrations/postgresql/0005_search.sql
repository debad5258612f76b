-- The index that search reads: documents, parts of the index, their pages, and how far it has come.

-- How far a tenant's index has come. `turn` moves with every change of it, so that what was made ready beside writers
-- is only written when nothing changed meanwhile. No session that lists last moved before `listed_to` is behind.
CREATE TABLE search_index (
  tenant    BIGINT PRIMARY KEY,
  tokens    BIGINT NOT NULL,
  turn      BIGINT NOT NULL,
  next_doc  BIGINT NOT NULL,
  next_part BIGINT NOT NULL,
  listed_to BIGINT NOT NULL,
  looked_to BIGINT NOT NULL
);

-- Up to which event a session is in the index.
CREATE TABLE search_session (
  session     BIGINT PRIMARY KEY,
  indexed_seq BIGINT NOT NULL
);

-- Sessions that are behind although lists did not move them: they came in with an older date.
CREATE TABLE search_due (
  tenant  BIGINT NOT NULL,
  session BIGINT NOT NULL,
  PRIMARY KEY (tenant, session)
);
CREATE INDEX search_due_session ON search_due (session);

-- The event that a document is: k = session << 32 | seq, and seq 0 is the session's title and description.
CREATE TABLE search_doc (
  tenant BIGINT NOT NULL,
  doc    BIGINT NOT NULL,
  k      BIGINT NOT NULL,
  at     BIGINT NOT NULL,
  PRIMARY KEY (tenant, doc)
);
CREATE INDEX search_doc_event ON search_doc (k, tenant, doc);

-- A part has the documents from `first_doc` on. state: 0 searched, 1 being merged from others, 2 being deleted.
-- reached: of state 0, up to where deleted documents were taken out, NULL when it has none; of 1, up to where it is made.
CREATE TABLE search_part (
  tenant    BIGINT NOT NULL,
  number    BIGINT NOT NULL,
  first_doc BIGINT NOT NULL,
  docs      BIGINT NOT NULL,
  state     BIGINT NOT NULL,
  reached   BYTEA,
  PRIMARY KEY (tenant, number)
);
CREATE INDEX search_part_order ON search_part (tenant, state, first_doc);

-- Terms with their documents, in the order of the terms' bytes.
CREATE TABLE search_page (
  tenant BIGINT NOT NULL,
  part   BIGINT NOT NULL,
  first  BYTEA  NOT NULL,
  data   BYTEA  NOT NULL,
  PRIMARY KEY (tenant, part, first)
);
