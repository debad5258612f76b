-- Search on PostgreSQL's own full-text index. What was indexed before is dropped, and indexed again by those who write next.

DROP TABLE search_page;
DROP TABLE search_part;
DROP TABLE search_doc;
DROP TABLE search_index;
DELETE FROM search_session;
DELETE FROM search_due;

-- No list leads to the rows of sessions that are gone, which forks read.
INSERT INTO search_due (tenant, session) SELECT DISTINCT r.tenant, g.source FROM segment g JOIN session r ON r.pk = g.session
WHERE NOT EXISTS (SELECT 1 FROM session s WHERE s.pk = g.source);

-- How far a tenant's index has come. No session that lists last moved before `listed_to` has events that are not indexed.
CREATE TABLE search_index (
  tenant    BIGINT PRIMARY KEY,
  tokens    BIGINT NOT NULL,
  next_doc  BIGINT NOT NULL,
  listed_to BIGINT NOT NULL,
  looked_to BIGINT NOT NULL
);

-- A document: doc = (tenant - 1) << 40 | number. Its event is k = session << 32 | seq, where seq 0 is the session's title and
-- description. `terms` are its terms, and a number for each two of them in a row.
CREATE TABLE search_doc (
  doc   BIGINT PRIMARY KEY,
  k     BIGINT,
  at    BIGINT   NOT NULL,
  terms TSVECTOR NOT NULL
);
CREATE INDEX search_doc_event ON search_doc (k, doc);

-- Few documents wait to be put into the index: every search reads those that do.
CREATE INDEX search_doc_terms ON search_doc USING gin (terms) WITH (gin_pending_list_limit = 256);
