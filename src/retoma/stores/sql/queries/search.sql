-- What a search asks, and what builds its index. A document's number grows with the index, k is its event.

-- fragment: many
?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?

-- name: search_index
-- How far a tenant's index has come.
SELECT tokens, turn, next_doc, next_part, listed_to, looked_to FROM search_index WHERE tenant = ?

-- name: begin_search_index
-- A tenant's index, with nothing in it.
INSERT INTO search_index (tenant, tokens, turn, next_doc, next_part, listed_to, looked_to)
VALUES (?, ?, 0, 0, 0, 0, 0) ON CONFLICT DO NOTHING

-- name: take_search_turn
-- Go on, unless somebody changed the index meanwhile.
UPDATE search_index SET turn = turn + 1 WHERE tenant = ? AND turn = ? RETURNING turn

-- name: pass_search_turn
-- Something is forgotten: what is being made ready for the index may hold it, and is not written. Of a session that is
-- gone, those know the tenant that read its rows; what nobody reads is not made ready.
UPDATE search_index SET turn = turn + 1 WHERE tenant IN (SELECT tenant FROM session WHERE pk = ?1
  UNION SELECT r.tenant FROM segment g CROSS JOIN session r ON r.pk = g.session WHERE g.source = ?1)

-- name: hold_search_index
-- Whoever changes the index goes on when this is over.
UPDATE search_index SET turn = turn + 1 WHERE tenant = ?

-- name: move_search_index
-- The index has come further.
UPDATE search_index SET next_doc = ?, next_part = ?, listed_to = ?, looked_to = ? WHERE tenant = ?

-- name: outdate_search_index
-- The index is of no use: it is to be built anew.
UPDATE search_index SET tokens = 0, turn = turn + 1 WHERE tenant = ?

-- name: renew_search_index
-- An index that was emptied begins anew.
UPDATE search_index SET tokens = ?, next_doc = 0, next_part = 0, listed_to = 0, looked_to = 0 WHERE tenant = ?

-- fragment: behind_columns
-- (?1 is 1, or 0 where the index is of no use and every event is behind. What a fork shares is indexed where its rows are.)
s.pk, s.listed_at, s.head_seq, coalesce((SELECT max(g.last_seq) FROM segment g WHERE g.session = s.pk), s.base_seq),
coalesce(x.indexed_seq, 0) * ?1

-- name: behind_oldest
-- Sessions of a list with events that are not indexed, those that waited longest first.
SELECT {behind_columns} FROM session s LEFT JOIN search_session x ON x.session = s.pk
WHERE s.tenant = ?2 AND s.shelf = ?3 AND s.pinned = ?4 AND s.listed_at >= ?5
AND s.head_seq > coalesce(x.indexed_seq, 0) * ?1
ORDER BY s.listed_at, s.pk LIMIT ?6

-- name: behind_newest
-- The same, those last written in first.
SELECT {behind_columns} FROM session s LEFT JOIN search_session x ON x.session = s.pk
WHERE s.tenant = ?2 AND s.shelf = ?3 AND s.pinned = ?4 AND s.listed_at >= ?5
AND s.head_seq > coalesce(x.indexed_seq, 0) * ?1
ORDER BY s.listed_at DESC, s.pk DESC LIMIT ?6

-- name: behind_due
-- Sessions that came in with an older date.
SELECT {behind_columns} FROM search_due d CROSS JOIN session s ON s.pk = d.session
LEFT JOIN search_session x ON x.session = s.pk
WHERE d.tenant = ?2 AND s.tenant = ?2 AND s.shelf = ?3 AND s.head_seq > coalesce(x.indexed_seq, 0) * ?1
ORDER BY d.session DESC LIMIT ?4

-- name: behind_gone
-- Journals of sessions that are gone, whose rows forks still read.
SELECT d.session, 0, (SELECT max(g.last_seq) FROM segment g WHERE g.source = d.session), 0, coalesce(x.indexed_seq, 0) * ?1
FROM search_due d LEFT JOIN search_session x ON x.session = d.session
WHERE d.tenant = ?2 AND NOT EXISTS (SELECT 1 FROM session s WHERE s.pk = d.session)
AND EXISTS (SELECT 1 FROM segment g WHERE g.source = d.session) ORDER BY d.session DESC LIMIT ?3

-- name: looked_at
-- Sessions in the order of their numbers, whatever lists say of them.
SELECT s.tenant, s.shelf, {behind_columns} FROM session s LEFT JOIN search_session x ON x.session = s.pk
WHERE s.pk > ?2 ORDER BY s.pk LIMIT ?3

-- name: whole_behind
-- How many events are not indexed.
SELECT CAST(coalesce(sum(head - CASE WHEN begins > indexed THEN begins ELSE indexed END), 0) AS BIGINT) FROM (
  SELECT s.head_seq AS head, coalesce(x.indexed_seq, 0) * ?1 AS indexed,
    coalesce((SELECT max(g.last_seq) FROM segment g WHERE g.session = s.pk), s.base_seq) AS begins
  FROM session s LEFT JOIN search_session x ON x.session = s.pk
  WHERE s.tenant = ?2 AND s.shelf < 3 AND s.head_seq > coalesce(x.indexed_seq, 0) * ?1
) AS those

-- name: add_search_due
-- A session is behind, although lists did not move it.
INSERT INTO search_due (tenant, session) VALUES (?, ?) ON CONFLICT DO NOTHING

-- name: whole_search_due_gone
-- Rows of sessions that are gone, of which a tenant's forks read, are behind: nobody else would come upon them.
INSERT INTO search_due (tenant, session) SELECT DISTINCT r.tenant, g.source FROM segment g CROSS JOIN session r ON r.pk = g.session
WHERE r.tenant = ? AND NOT EXISTS (SELECT 1 FROM session s WHERE s.pk = g.source) ON CONFLICT DO NOTHING

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

-- name: drop_search_session
-- A session that is gone, or to be indexed anew.
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

-- name: search_sessions
-- Sessions of which something is indexed; those too that are not there.
SELECT x.session FROM search_session x LEFT JOIN session s ON s.pk = x.session
WHERE x.session > ?1 AND coalesce(s.tenant, ?2) = ?2 ORDER BY x.session LIMIT ?3

-- name: add_search_doc
-- An event is a document.
INSERT INTO search_doc (tenant, doc, k, at) VALUES (?, ?, ?, ?)

-- name: search_docs
-- Which events documents are.
SELECT doc, k, at FROM search_doc WHERE tenant = ? AND doc IN ({many})

-- name: docs_between
-- The documents of a stretch of the index that are still there.
SELECT doc, k, at FROM search_doc WHERE tenant = ? AND doc >= ? AND doc < ? ORDER BY doc LIMIT ?

-- name: doc_of_event
-- The document that an event is.
SELECT doc FROM search_doc WHERE k = ?

-- name: forget_docs
-- A stretch of a journal is in the index no more.
DELETE FROM search_doc WHERE k >= ? AND k < ? RETURNING tenant, doc

-- name: drop_docs
-- A stretch of the index goes.
DELETE FROM search_doc WHERE tenant = ? AND doc < ?

-- name: last_of_docs
-- Where a stretch of the index ends.
SELECT max(doc) FROM (SELECT doc FROM search_doc WHERE tenant = ? ORDER BY doc LIMIT ?) AS stretch

-- name: search_parts
-- The parts of the index, oldest documents first.
SELECT number, first_doc, docs, state, reached FROM search_part WHERE tenant = ? ORDER BY first_doc, number

-- name: add_search_part
-- A part more.
INSERT INTO search_part (tenant, number, first_doc, docs, state, reached) VALUES (?, ?, ?, ?, ?, ?)

-- name: set_search_part
-- A part is searched from now on, or to be deleted, or has come further.
UPDATE search_part SET state = ?, reached = ? WHERE tenant = ? AND number = ?

-- name: drop_search_part
-- A part without pages goes.
DELETE FROM search_part WHERE tenant = ? AND number = ?

-- name: pages_at
-- Of each part between two documents the page on which a key would be.
SELECT p.number, (SELECT g.data FROM search_page g WHERE g.tenant = ?1 AND g.part = p.number AND g.first <= ?2
  ORDER BY g.first DESC LIMIT 1)
FROM search_part p WHERE p.tenant = ?1 AND p.state = 0 AND p.first_doc >= ?3 AND p.first_doc < ?4

-- name: pages_between
-- Of each part between two documents the pages that begin between two keys.
SELECT p.number, g.data FROM search_part p CROSS JOIN search_page g ON g.part = p.number
WHERE p.tenant = ?1 AND p.state = 0 AND p.first_doc >= ?4 AND p.first_doc < ?5
AND g.tenant = ?1 AND g.first > ?2 AND g.first < ?3

-- name: page_at
-- The page of a part on which a key would be.
SELECT first, data FROM search_page WHERE tenant = ? AND part = ? AND first <= ? ORDER BY first DESC LIMIT 1

-- name: pages_behind
-- A part's pages behind a key.
SELECT first, data FROM search_page WHERE tenant = ? AND part = ? AND first > ? ORDER BY first LIMIT ?

-- name: add_search_page
-- A page.
INSERT INTO search_page (tenant, part, first, data) VALUES (?, ?, ?, ?)

-- name: any_pages
-- Pages of a tenant, whatever part they say they are of.
SELECT part, first FROM search_page WHERE tenant = ? ORDER BY part, first LIMIT ?

-- name: drop_search_page
-- A page goes.
DELETE FROM search_page WHERE tenant = ? AND part = ? AND first = ?

-- name: whole_search
-- How many documents the search index has, and the bytes of its pages.
SELECT (SELECT count(*) FROM search_doc),
  (SELECT CAST(coalesce(sum(length(data) + length(first)), 0) AS BIGINT) FROM search_page)

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
