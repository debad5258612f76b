-- The index that search reads: documents, parts of the index, their pages, and how far it has come.

-- How far a tenant's index has come. `turn` moves with every change of it, so that what was made ready beside writers
-- is only written when nothing changed meanwhile. No session that lists last moved before `listed_to` is behind.
CREATE TABLE search_index (
  tenant    INTEGER PRIMARY KEY,
  tokens    INTEGER NOT NULL,
  turn      INTEGER NOT NULL,
  next_doc  INTEGER NOT NULL,
  next_part INTEGER NOT NULL,
  listed_to INTEGER NOT NULL,
  looked_to INTEGER NOT NULL
);
CREATE INDEX search_index_copy ON search_index (tenant, tokens, turn, next_doc, next_part, listed_to, looked_to);

-- Up to which event a session is in the index.
CREATE TABLE search_session (
  session     INTEGER PRIMARY KEY,
  indexed_seq INTEGER NOT NULL
);
CREATE INDEX search_session_copy ON search_session (session, indexed_seq);

-- Sessions that are behind although lists did not move them: they came in with an older date.
CREATE TABLE search_due (
  tenant  INTEGER NOT NULL,
  session INTEGER NOT NULL,
  PRIMARY KEY (tenant, session)
) WITHOUT ROWID;
CREATE INDEX search_due_session ON search_due (session, tenant);

-- The event that a document is: k = session << 32 | seq, and seq 0 is the session's title and description.
CREATE TABLE search_doc (
  tenant INTEGER NOT NULL,
  doc    INTEGER NOT NULL,
  k      INTEGER NOT NULL,
  at     INTEGER NOT NULL,
  PRIMARY KEY (tenant, doc)
) WITHOUT ROWID;
CREATE INDEX search_doc_event ON search_doc (k, tenant, doc, at);

-- A part has the documents from `first_doc` on. state: 0 searched, 1 being merged from others, 2 being deleted.
-- reached: of state 0, up to where deleted documents were taken out, NULL when it has none; of 1, up to where it is made.
CREATE TABLE search_part (
  tenant    INTEGER NOT NULL,
  number    INTEGER NOT NULL,
  first_doc INTEGER NOT NULL,
  docs      INTEGER NOT NULL,
  state     INTEGER NOT NULL,
  reached   BLOB,
  PRIMARY KEY (tenant, number)
) WITHOUT ROWID;
CREATE INDEX search_part_order ON search_part (tenant, state, first_doc, number, docs, reached);

-- Terms with their documents, in the order of the terms' bytes.
CREATE TABLE search_page (
  tenant INTEGER NOT NULL,
  part   INTEGER NOT NULL,
  first  BLOB    NOT NULL,
  data   BLOB    NOT NULL,
  PRIMARY KEY (tenant, part, first)
);
