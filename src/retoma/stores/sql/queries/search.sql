-- What a search asks, and what builds its index. A document is doc = (tenant - 1) << 40 | number, and k is its event. The index of
-- terms is each database's own (queries/sqlite has more of SQLite's).

-- fragment: many
?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?

-- name: search_index
-- How far a tenant's index has come.
SELECT tokens, next_doc, listed_to, looked_to FROM search_index WHERE tenant = ?

-- name: begin_search_index
-- A tenant's index, with nothing in it.
INSERT INTO search_index (tenant, tokens, next_doc, listed_to, looked_to) VALUES (?, ?, 0, 0, 0) ON CONFLICT DO NOTHING

-- name: hold_search_index
-- The same, for whoever changes it: nobody else does until this transaction ends.
UPDATE search_index SET next_doc = next_doc WHERE tenant = ? RETURNING tokens, next_doc, listed_to, looked_to

-- name: hold_search_of
-- Something of a session is forgotten: nobody indexes it meanwhile. Of a session that is gone, those know the tenant that
-- read its rows; what nobody reads is not indexed.
UPDATE search_index SET next_doc = next_doc WHERE tenant IN (SELECT tenant FROM session WHERE pk = ?1
  UNION SELECT r.tenant FROM segment g CROSS JOIN session r ON r.pk = g.session WHERE g.source = ?1)

-- name: move_search_index
-- The index has come further.
UPDATE search_index SET next_doc = ?, listed_to = ?, looked_to = ? WHERE tenant = ?

-- fragment: behind_columns
-- (What a fork shares is indexed where its rows are.)
s.pk, s.listed_at, s.head_seq, coalesce((SELECT max(g.last_seq) FROM segment g WHERE g.session = s.pk), s.base_seq),
coalesce(x.indexed_seq, 0)

-- name: behind_oldest
-- Sessions of a list with events that are not indexed, those that waited longest first.
SELECT {behind_columns} FROM session s LEFT JOIN search_session x ON x.session = s.pk
WHERE s.tenant = ?1 AND s.shelf = ?2 AND s.pinned = ?3 AND s.listed_at >= ?4
AND s.head_seq > coalesce(x.indexed_seq, 0)
ORDER BY s.listed_at, s.pk LIMIT ?5

-- name: behind_newest
-- The same, those last written in first.
SELECT {behind_columns} FROM session s LEFT JOIN search_session x ON x.session = s.pk
WHERE s.tenant = ?1 AND s.shelf = ?2 AND s.pinned = ?3 AND s.listed_at >= ?4
AND s.head_seq > coalesce(x.indexed_seq, 0)
ORDER BY s.listed_at DESC, s.pk DESC LIMIT ?5

-- name: behind_due
-- Sessions that came in with an older date.
SELECT {behind_columns} FROM search_due d CROSS JOIN session s ON s.pk = d.session
LEFT JOIN search_session x ON x.session = s.pk
WHERE d.tenant = ?1 AND s.tenant = ?1 AND s.shelf < 3 AND s.head_seq > coalesce(x.indexed_seq, 0)
ORDER BY d.session DESC LIMIT ?2

-- name: behind_gone
-- Journals of sessions that are gone, whose rows forks still read.
SELECT d.session, 0, (SELECT max(g.last_seq) FROM segment g WHERE g.source = d.session), 0, coalesce(x.indexed_seq, 0)
FROM search_due d LEFT JOIN search_session x ON x.session = d.session
WHERE d.tenant = ?1 AND NOT EXISTS (SELECT 1 FROM session s WHERE s.pk = d.session)
AND EXISTS (SELECT 1 FROM segment g WHERE g.source = d.session) ORDER BY d.session DESC LIMIT ?2

-- name: looked_at
-- Sessions in the order of their numbers, whatever lists say of them.
SELECT s.tenant, s.shelf, {behind_columns} FROM session s LEFT JOIN search_session x ON x.session = s.pk
WHERE s.pk > ?1 ORDER BY s.pk LIMIT ?2

-- name: whole_behind
-- How many events are not indexed.
SELECT CAST(coalesce(sum(head - CASE WHEN begins > indexed THEN begins ELSE indexed END), 0) AS BIGINT) FROM (
  SELECT s.head_seq AS head, coalesce(x.indexed_seq, 0) AS indexed,
    coalesce((SELECT max(g.last_seq) FROM segment g WHERE g.session = s.pk), s.base_seq) AS begins
  FROM session s LEFT JOIN search_session x ON x.session = s.pk
  WHERE s.tenant = ?1 AND s.shelf < 3 AND s.head_seq > coalesce(x.indexed_seq, 0)
) AS those

-- name: add_search_due
-- A session is behind, although lists did not move it.
INSERT INTO search_due (tenant, session) VALUES (?, ?) ON CONFLICT DO NOTHING

-- name: whole_search_due_gone
-- Rows of sessions that are gone, and that forks read, are to be indexed: no list leads to them.
INSERT INTO search_due (tenant, session) SELECT DISTINCT r.tenant, g.source FROM segment g CROSS JOIN session r ON r.pk = g.session
WHERE NOT EXISTS (SELECT 1 FROM session s WHERE s.pk = g.source) ON CONFLICT DO NOTHING

-- name: add_search_due_going
-- A session goes, and forks read of it.
INSERT INTO search_due (tenant, session) SELECT tenant, pk FROM session WHERE pk = ? ON CONFLICT DO NOTHING

-- name: drop_search_due
-- It is not any more.
DELETE FROM search_due WHERE session = ?

-- name: put_search_session
-- A session is indexed up to an event.
INSERT INTO search_session (session, indexed_seq) VALUES (?, ?)
ON CONFLICT (session) DO UPDATE SET indexed_seq = excluded.indexed_seq

-- name: whole_drop_index
-- The index goes, of all tenants: first what says that there is one.
DELETE FROM search_index

-- name: whole_drop_sessions
-- No session is indexed.
DELETE FROM search_session

-- name: whole_drop_due
-- And none is due.
DELETE FROM search_due

-- name: whole_drop_docs
-- There is no document.
DELETE FROM search_doc

-- name: drop_search_session
-- A session that is gone.
DELETE FROM search_session WHERE session = ?

-- name: drop_search_gone
-- Of a session that is gone nobody reads any more.
DELETE FROM search_session WHERE session = ?1 AND NOT EXISTS (SELECT 1 FROM session WHERE pk = ?1)
AND NOT EXISTS (SELECT 1 FROM segment WHERE source = ?1)

-- name: drop_search_due_gone
-- And nothing of it is due.
DELETE FROM search_due WHERE session = ?1 AND NOT EXISTS (SELECT 1 FROM session WHERE pk = ?1)
AND NOT EXISTS (SELECT 1 FROM segment WHERE source = ?1)

-- name: search_readers
-- Which sessions share rows of journals.
SELECT source, session, first_seq, last_seq FROM segment WHERE source IN ({many})

-- name: add_search_doc
-- An event is a document, with its terms.
INSERT INTO search_doc (doc, k, at, terms) VALUES (?, ?, ?, ?)

-- postgresql: add_search_doc
-- An event is a document, with its terms.
INSERT INTO search_doc (doc, k, at, terms) VALUES (?, ?, ?, array_to_tsvector(string_to_array(?::text, ' ')))

-- name: search_ask
-- Documents that have what is asked for, the newest first.
SELECT rowid FROM search_terms WHERE search_terms MATCH ?3 AND rowid >= ?1 AND rowid < ?2 ORDER BY rowid DESC LIMIT ?4

-- postgresql: search_ask
-- Documents that have what is asked for, the newest first: among the newest, and where those are too few, by their terms.
-- (No plan is right for rare terms and for common ones, and the server makes one for both.)
WITH newest AS MATERIALIZED (
  SELECT doc FROM (SELECT doc, terms FROM search_doc WHERE doc >= ?1::bigint AND doc < ?2::bigint ORDER BY doc DESC LIMIT 4096) AS last
  WHERE terms @@ ?3::text::tsquery ORDER BY doc DESC LIMIT ?4::bigint
), older AS MATERIALIZED (
  SELECT doc FROM search_doc WHERE (SELECT count(*) FROM newest) < ?4::bigint AND terms @@ ?3::text::tsquery
)
SELECT doc FROM newest UNION SELECT doc FROM older WHERE doc >= ?1::bigint AND doc < ?2::bigint ORDER BY doc DESC LIMIT ?4::bigint

-- name: search_docs
-- Which events documents are.
SELECT doc, k, at FROM search_doc WHERE doc IN ({many}) AND k IS NOT NULL

-- name: docs_between
-- The documents of a stretch of the index that are not forgotten.
SELECT doc, k, at FROM search_doc WHERE doc >= ? AND doc < ? AND k IS NOT NULL ORDER BY doc LIMIT ?

-- name: doc_of_event
-- The document that an event is.
SELECT doc FROM search_doc WHERE k = ?

-- name: doc_says
-- Whether a document has just these terms.
SELECT 1 FROM search_doc WHERE doc = ? AND terms = ?

-- postgresql: doc_says
-- Whether a document has just these terms.
SELECT 1 FROM search_doc WHERE doc = ? AND terms = array_to_tsvector(string_to_array(?::text, ' '))

-- name: forget_docs
-- A stretch of a journal is in the index no more.
UPDATE search_doc SET k = NULL WHERE k >= ? AND k < ?

-- postgresql: forget_docs
-- A stretch of a journal is in the index no more.
DELETE FROM search_doc WHERE k >= ? AND k < ?

-- name: any_forgotten
-- Whether terms of something that is forgotten are still there.
SELECT 1 FROM search_doc WHERE k IS NULL LIMIT 1

-- name: whole_search
-- How many documents the search index has, and the bytes of it.
SELECT count(*), coalesce(sum(length(terms)), 0) + (SELECT coalesce(sum(length(block)), 0) FROM search_terms_data) FROM search_doc

-- postgresql: whole_search
-- How many documents the search index has, and the bytes of it.
SELECT count(*), pg_total_relation_size('search_doc') FROM search_doc

-- name: whole_stray_docs
-- Whether there is a document of no index, or with a number that is still to come.
SELECT 1 FROM search_doc d WHERE NOT EXISTS (SELECT 1 FROM search_index i
  WHERE i.tenant = (d.doc >> 40) + 1 AND d.doc - ((d.doc >> 40) << 40) < i.next_doc) LIMIT 1

-- name: whole_search_tenants
-- Tenants that have an index.
SELECT tenant FROM search_index ORDER BY tenant

-- name: whole_indexed
-- Of sessions that are indexed, from one on: up to which event, how many documents they have, and how many they should;
-- and whether rows of it are read by others, or still to be deleted.
SELECT x.session, coalesce(s.id, ''), coalesce(s.tenant, 0), coalesce(s.shelf, 0), x.indexed_seq,
  coalesce(s.head_seq, 0),
  (SELECT count(*) FROM search_doc d WHERE d.k > x.session << 32 AND d.k <= (x.session << 32) + x.indexed_seq),
  (SELECT count(*) FROM search_doc d WHERE d.k > (x.session << 32) + x.indexed_seq AND d.k < (x.session + 1) << 32),
  (SELECT count(*) FROM event e
    WHERE e.k > (x.session << 32) + coalesce(s.base_seq, 0) AND e.k <= (x.session << 32) + x.indexed_seq
    AND (e.data IS NOT NULL OR e.blob IS NOT NULL)
    AND e.type IN ({searched_types})),
  (SELECT count(*) FROM segment g WHERE g.source = x.session) + (SELECT count(*) FROM erasing r WHERE r.session = x.session)
FROM search_session x LEFT JOIN session s ON s.pk = x.session WHERE x.session > ? ORDER BY x.session LIMIT ?
