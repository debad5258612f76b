-- What was left alone for long, where due work stands, and the store's own log. (With a range of two ends SQLite's
-- planner takes the index without the status as gladly, and looks at every session; so the one to take is named.)

-- fragment: untouched
SELECT s.pk, s.id, s.listed_at, s.head_seq - s.base_seq, s.flow_status FROM session s INDEXED BY session_status
WHERE s.tenant = :tenant AND s.shelf = 0 AND s.status = :status AND s.pinned = 0 AND s.listed_at < :before
AND (s.listed_at, s.pk) > (:at, :pk) AND s.updated_at < :before
AND NOT EXISTS (SELECT 1 FROM lease l WHERE l.session = s.pk AND l.expires_at > :now)

-- fragment: order_untouched
ORDER BY s.listed_at, s.pk LIMIT :limit

-- fragment: count_untouched
SELECT count(*) FROM session s INDEXED BY session_status
WHERE s.tenant = :tenant AND s.shelf = 0 AND s.status = :status AND s.pinned = 0 AND s.listed_at < :before
AND s.updated_at < :before
AND NOT EXISTS (SELECT 1 FROM lease l WHERE l.session = s.pk AND l.expires_at > :now)

-- fragment: with_nothing_awaited
AND coalesce(s.flow_status, '') NOT IN ('waiting_for_input', 'waiting_for_tool')

-- name: count_trashed
-- How many sessions were in the trash before an instant.
SELECT count(*) FROM session WHERE tenant = ? AND shelf = 2 AND trashed_at < ?

-- name: still_untouched
-- Whether a session may still go, now that its row is this transaction's.
SELECT flow_status FROM session WHERE pk = ? AND tenant = ? AND shelf = 0 AND status = ? AND pinned = 0 AND updated_at < ?

-- name: template_of
-- The template that a session was made from.
SELECT template FROM session WHERE pk = ?

-- name: due_mark
-- How far some due work has come.
SELECT at, key FROM due WHERE tenant = ? AND name = ?

-- name: put_due_mark
-- It has come further.
INSERT INTO due (tenant, name, at, key) VALUES (?, ?, ?, ?)
ON CONFLICT (tenant, name) DO UPDATE SET at = excluded.at, key = excluded.key

-- name: add_log
-- Something was done that nobody did by hand.
INSERT INTO store_log (tenant, at, actor, deed, why, count, session, id, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
RETURNING pk

-- name: mark_log
-- What stands for an entry.
UPDATE store_log SET mark = ? WHERE pk = ?

-- name: count_log
-- There is an entry with a mark more.
INSERT INTO due (tenant, name, at, key) VALUES (?, 'log', 0, 1) ON CONFLICT (tenant, name) DO UPDATE SET key = due.key + 1

-- name: whole_log_counts
-- Tenants whose entries are not as many as were made.
SELECT t.pk, coalesce(d.key, 0), (SELECT count(*) FROM store_log l WHERE l.tenant = t.pk AND l.mark IS NOT NULL)
FROM tenant t LEFT JOIN due d ON d.tenant = t.pk AND d.name = 'log'
WHERE coalesce(d.key, 0) <> (SELECT count(*) FROM store_log l WHERE l.tenant = t.pk AND l.mark IS NOT NULL)

-- name: log_page
-- The newest entries of an interval, before a place.
SELECT pk, at, actor, deed, why, count, id, digest FROM store_log
WHERE tenant = ?1 AND at >= ?2 AND (at, pk) < (?3, ?4) ORDER BY at DESC, pk DESC LIMIT ?5

-- name: log_of_session
-- The newest entries of a session that is there.
SELECT pk, at, actor, deed, why, count, id, digest FROM store_log
WHERE session = ?1 AND tenant = ?2 AND at >= ?3 AND (at, pk) < (?4, ?5) ORDER BY at DESC, pk DESC LIMIT ?6

-- name: log_of_digest
-- The newest entries of whatever bore a name.
SELECT pk, at, actor, deed, why, count, id, digest FROM store_log
WHERE tenant = ?1 AND digest = ?2 AND at >= ?3 AND (at, pk) < (?4, ?5) ORDER BY at DESC, pk DESC LIMIT ?6

-- name: rename_in_log
-- The log calls a session by the name that it bears now; by none, once it is deleted.
UPDATE store_log SET id = ?, digest = ? WHERE session = ?

-- name: forget_in_log
-- A session is deleted: its digest alone says which one it was.
UPDATE store_log SET id = '' WHERE session = ?
