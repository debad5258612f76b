-- SQLite's full-text index. Its own tables are named where FTS5 has no command for what is wanted.

-- name: put_terms
-- Terms of a document come in.
INSERT INTO search_terms (rowid, terms) VALUES (?, ?)

-- name: take_terms
-- They are taken out: just those that came in.
INSERT INTO search_terms (search_terms, rowid, terms) VALUES ('delete', ?, ?)

-- name: set
-- A setting, or a piece of work.
INSERT INTO search_terms (search_terms, rank) VALUES (?, ?)

-- name: flush
-- What this transaction changed is written to the index's tables.
INSERT INTO search_terms (search_terms) VALUES ('flush')

-- name: setting
-- A setting that was made.
SELECT v FROM search_terms_config WHERE k = ?

-- name: changes
-- How many rows this connection has changed: whether a merge had anything to do.
SELECT total_changes()

-- name: forgotten
-- Documents that are forgotten, whose terms are still there.
SELECT doc, terms FROM search_doc WHERE k IS NULL ORDER BY doc LIMIT ?

-- name: many_forgotten
-- Whether they are so many, and one of each 512 documents.
SELECT count(*) = max(?1, (SELECT coalesce(sum(next_doc), 0) >> 9 FROM search_index))
FROM (SELECT 1 FROM search_doc WHERE k IS NULL LIMIT max(?1, (SELECT coalesce(sum(next_doc), 0) >> 9 FROM search_index)))

-- name: drop_doc
-- A document goes.
DELETE FROM search_doc WHERE doc = ?

-- name: keys
-- Of each segment the key of a page that is where a term would be, if the term begins so. A key tells a page from the one before.
WITH RECURSIVE segments (id) AS (
  SELECT min(segid) FROM search_terms_idx
  UNION ALL SELECT (SELECT min(segid) FROM search_terms_idx WHERE segid > id) FROM segments WHERE id IS NOT NULL
)
SELECT i.segid, i.term, d.block FROM segments s
CROSS JOIN search_terms_idx i ON i.segid = s.id
  AND i.term = (SELECT max(term) FROM search_terms_idx WHERE segid = s.id AND term <= ?1)
LEFT JOIN search_terms_data d ON d.id = (i.segid << 37) + (i.pgno >> 1)
WHERE length(i.term) > 1 AND substr(?1, 1, length(i.term)) = i.term

-- name: set_key
-- A page has another key.
UPDATE search_terms_idx SET term = ? WHERE segid = ? AND term = ?

-- name: drop_key
-- The page of a key is gone: what was on it is merged.
DELETE FROM search_terms_idx WHERE segid = ? AND term = ?

-- name: structure
-- Which segments there are.
SELECT block FROM search_terms_data WHERE id = 10

-- name: drop_segment
-- Pages of a segment.
DELETE FROM search_terms_data WHERE id > ?1 << 37 AND id < (?1 + 1) << 37

-- name: drop_keys
-- And their keys.
DELETE FROM search_terms_idx WHERE segid = ?

-- name: drop_blocks
-- All pages. FTS5 itself reads them before it drops them, and they may be damaged.
DELETE FROM search_terms_data WHERE id > 10

-- name: set_version
-- The version of the index's own format, which damage may have changed. It knows settings from this one on.
INSERT INTO search_terms_config (k, v) VALUES ('version', 5) ON CONFLICT (k) DO UPDATE SET v = excluded.v

-- name: is_whole
-- What FTS5 says of its tables.
PRAGMA integrity_check(search_terms)

-- name: pages
-- The next pages of segments, each with its key.
WITH keyed AS MATERIALIZED (SELECT (segid << 37) + (pgno >> 1) AS id, term FROM search_terms_idx)
SELECT d.id, k.term, d.block FROM search_terms_data d LEFT JOIN keyed k ON k.id = d.id
WHERE d.id > max(?, 10) AND d.id & 68719476736 = 0 ORDER BY d.id LIMIT ?

-- name: sums
-- Of each term how often it is there, and sums of where.
SELECT term, count(*), sum(doc & 1048575), sum(doc >> 20), sum(offset) FROM search_vocabulary GROUP BY term

-- name: docs
-- Documents with what they should have.
SELECT doc, terms FROM search_doc WHERE doc > ? ORDER BY doc LIMIT ?
