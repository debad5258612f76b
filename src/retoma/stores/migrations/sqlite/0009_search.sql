-- Search on SQLite's own full-text index. What was indexed before is dropped, and indexed again by those who write next.

DROP TABLE search_page;
DROP TABLE search_part;
DROP TABLE search_doc;
DROP TABLE search_index;
DELETE FROM search_session;
DELETE FROM search_due;

-- No list leads to the rows of sessions that are gone, which forks read.
INSERT INTO search_due (tenant, session) SELECT DISTINCT r.tenant, g.source FROM segment g CROSS JOIN session r ON r.pk = g.session
WHERE NOT EXISTS (SELECT 1 FROM session s WHERE s.pk = g.source);

-- How far a tenant's index has come. No session that lists last moved before `listed_to` has events that are not indexed.
CREATE TABLE search_index (
  tenant    INTEGER PRIMARY KEY,
  tokens    INTEGER NOT NULL,
  next_doc  INTEGER NOT NULL,
  listed_to INTEGER NOT NULL,
  looked_to INTEGER NOT NULL
);
CREATE INDEX search_index_copy ON search_index (tenant, tokens, next_doc, listed_to, looked_to);

-- A document: doc = (tenant - 1) << 40 | number. Its event is k = session << 32 | seq, where seq 0 is the session's title and
-- description; NULL once that is forgotten, until `terms` are taken out of the full-text index. `terms` is what is there.
CREATE TABLE search_doc (
  doc   INTEGER PRIMARY KEY,
  k     INTEGER,
  at    INTEGER NOT NULL,
  terms TEXT    NOT NULL
);
CREATE INDEX search_doc_event ON search_doc (k, doc, at);

-- Terms are cut by us: this tokenizer takes them as they are.
CREATE VIRTUAL TABLE search_terms USING fts5 (
  terms, content = 'search_doc', content_rowid = 'doc', columnsize = 0, tokenize = "ascii tokenchars '_'"
);

-- What is in the full-text index, for `check`.
CREATE VIRTUAL TABLE search_vocabulary USING fts5vocab (search_terms, instance);
