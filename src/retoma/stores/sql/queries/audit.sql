-- For `store check` and `store info`: rows as they are, of every tenant, hidden ones too.

-- fragment: own_events
head_seq - CASE WHEN fork_seq > base_seq THEN fork_seq ELSE base_seq END

-- name: session_keys
-- Sessions in the order of their numbers, from one on.
SELECT pk, id, shelf, {own_events} FROM session WHERE pk > ? ORDER BY pk LIMIT ?

-- name: session_row
-- All of a session's row that the journal can be held against.
SELECT {audit_columns} FROM session WHERE pk = ?

-- name: systems
-- What the state keeps for flows themselves, from one session on.
SELECT session, value, seq FROM state WHERE session > ? AND key = 'sys' ORDER BY session LIMIT ?

-- name: branches
-- Sessions that may have state rows of another one, from one on: forks, what was imported of forks, and what these read.
SELECT pk FROM session s WHERE pk > ?1 AND shelf < 3 AND EXISTS (SELECT 1 FROM state WHERE session = s.pk) AND (
  EXISTS (SELECT 1 FROM segment WHERE session = s.pk) OR EXISTS (SELECT 1 FROM segment WHERE source = s.pk)
  OR EXISTS (SELECT 1 FROM event WHERE k > s.pk << 32 AND k < (s.pk + 1) << 32 AND type = 'session.forked')
) ORDER BY pk LIMIT ?2

-- name: second_copy
-- The second copy of what no event repeats.
SELECT uid, shelf, created_at, expires_at, parent, fork_of, fork_seq, flow_path, has_files, epoch, epoch_uid, reused, made_under
FROM second_copy WHERE session = ?

-- name: whole_erasing
-- What is still to be deleted of a journal, and of whose.
SELECT tenant, last_seq FROM erasing WHERE session = ?

-- name: runs_version
-- Whether a session is known to run a version of a flow, and whether the version is there.
SELECT (SELECT count(*) FROM flow_use u WHERE u.tenant = ?1 AND u.hash = ?2 AND u.session = ?3),
  (SELECT count(*) FROM flow_version v WHERE v.tenant = ?1 AND v.hash = ?2)

-- name: audit_log
-- The log's entries, from one on.
SELECT pk, tenant, at, actor, deed, why, count, session, id, digest, mark FROM store_log WHERE pk > ? ORDER BY pk LIMIT ?

-- name: audit_operations
-- What operations of tenants did, from one on.
SELECT tenant, id, request, result, at FROM operation WHERE (tenant, id) > (?, ?) ORDER BY tenant, id LIMIT ?

-- name: wrote
-- An event of an operation. One key may be given to several verbs, so the request tells them apart.
SELECT 1 FROM event WHERE operation = ? AND request = ? AND at = ? LIMIT 1

-- name: names_of
-- The names that lead to a session.
SELECT tenant, id FROM session_name WHERE session = ? ORDER BY tenant, id

-- name: audit_events
-- Events with where their content is, and not the content.
SELECT {event_columns} FROM event WHERE k > ? AND k < ? ORDER BY k LIMIT ?

-- name: audit_seqs
-- The numbers of events, for when a row cannot be read.
SELECT k & 4294967295 FROM event WHERE k > ? AND k < ? ORDER BY k LIMIT ?

-- name: audit_content
-- Content with what is said of it.
SELECT codec, size_bytes, stored, inline FROM blob WHERE hash = ?

-- name: audit_tags
-- A session's tags as lists have them.
SELECT tag, tenant, pinned, listed_at FROM session_tag WHERE session = ? ORDER BY tag

-- name: audit_contexts
-- A session's contexts as lists have them.
SELECT kind, ref, tenant, pinned, listed_at FROM session_context WHERE session = ? ORDER BY kind, ref

-- name: audit_visits
-- The nodes that a flow entered with their places, from one place on.
SELECT position, node FROM visit WHERE session = ? AND position > ? ORDER BY position LIMIT ?

-- name: whole_strays
-- Rows whose session is not there, by table.
SELECT 'tags' AS what, session FROM session_tag x WHERE NOT EXISTS (SELECT 1 FROM session WHERE pk = x.session)
UNION SELECT 'contexts', session FROM session_context x WHERE NOT EXISTS (SELECT 1 FROM session WHERE pk = x.session)
UNION SELECT 'description', session FROM session_about x WHERE NOT EXISTS (SELECT 1 FROM session WHERE pk = x.session)
UNION SELECT 'name', session FROM session_name x WHERE NOT EXISTS (SELECT 1 FROM session WHERE pk = x.session)
UNION SELECT 'epochs', session FROM epoch x WHERE NOT EXISTS (SELECT 1 FROM session WHERE pk = x.session)
UNION SELECT 'state', session FROM state x WHERE NOT EXISTS (SELECT 1 FROM session WHERE pk = x.session)
UNION SELECT 'pending calls', session FROM pending x WHERE NOT EXISTS (SELECT 1 FROM session WHERE pk = x.session)
UNION SELECT 'history', session FROM visit x WHERE NOT EXISTS (SELECT 1 FROM session WHERE pk = x.session)
UNION SELECT 'notes', session FROM session_note x WHERE NOT EXISTS (SELECT 1 FROM session WHERE pk = x.session)
UNION SELECT 'lease', session FROM lease x WHERE NOT EXISTS (SELECT 1 FROM session WHERE pk = x.session)
UNION SELECT 'shared past', session FROM segment x WHERE NOT EXISTS (SELECT 1 FROM session WHERE pk = x.session)
UNION SELECT 'snapshots', session FROM snapshot x WHERE NOT EXISTS (SELECT 1 FROM session WHERE pk = x.session)
  AND NOT EXISTS (SELECT 1 FROM segment WHERE source = x.session)
  AND NOT EXISTS (SELECT 1 FROM erasing WHERE session = x.session)
UNION SELECT 'second copy', session FROM second_copy x WHERE NOT EXISTS (SELECT 1 FROM session WHERE pk = x.session)
UNION SELECT 'flow versions', session FROM flow_use x WHERE NOT EXISTS (SELECT 1 FROM session WHERE pk = x.session)
ORDER BY 2, 1 LIMIT ?

-- name: whole_stray_journals
-- Journals whose session is not there, that no fork reads and that are not due to go: the first event of each is sought behind the journal before. UNION, so that a
-- damaged tree that leads back is not walked for ever.
WITH RECURSIVE found (session) AS (
  SELECT (SELECT min(k) FROM event) >> 32
  UNION
  SELECT (SELECT min(k) FROM event WHERE k >= (found.session + 1) << 32) >> 32 FROM found WHERE session IS NOT NULL
)
SELECT session FROM found WHERE session IS NOT NULL AND NOT EXISTS (SELECT 1 FROM session WHERE pk = found.session)
AND NOT EXISTS (SELECT 1 FROM segment WHERE source = found.session)
AND NOT EXISTS (SELECT 1 FROM erasing WHERE session = found.session)
LIMIT ?

-- name: unreferenced
-- Content that no event refers to, from one on.
SELECT hash, stored FROM blob b WHERE hash > ? AND NOT EXISTS (SELECT 1 FROM event WHERE event.blob = b.hash)
ORDER BY hash LIMIT ?

-- name: flow_versions
-- Versions of flows, from one on.
SELECT tenant, hash, name, codec, files FROM flow_version WHERE (tenant, hash) > (?, ?) ORDER BY tenant, hash LIMIT ?

-- name: quarantined
-- Sessions that were put aside, from one on.
SELECT session, id, at, why FROM quarantine WHERE session > ? ORDER BY session LIMIT ?

-- name: quarantine_of
-- Under which name a session was put aside.
SELECT id FROM quarantine WHERE session = ?

-- name: add_quarantine
-- A session is put aside.
INSERT INTO quarantine (session, id, at, why) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING

-- name: release_session
-- It is where it was before.
UPDATE session SET shelf = (SELECT c.shelf FROM second_copy c WHERE c.session = session.pk), id = ? WHERE pk = ?

-- name: drop_quarantine
-- A session is in quarantine no more.
DELETE FROM quarantine WHERE session = ?

-- name: quarantine_session
-- It is in no list any more.
UPDATE session SET shelf = 5 WHERE pk = ?

-- name: quarantine_names
-- And nothing finds it by name.
DELETE FROM session_name WHERE session = ?

-- name: whole_shelves
-- How many sessions there are of each kind, with their events and messages.
SELECT shelf, status, flow IS NOT NULL, count(*), CAST(sum({own_events}) AS BIGINT), CAST(sum(messages) AS BIGINT) FROM session GROUP BY 1, 2, 3

-- name: whole_journals
-- The sessions whose journals hold most bytes.
SELECT s.id, s.shelf, {own_events},
  (SELECT coalesce(sum(length(data)), 0) + count(*) * 160 FROM event e WHERE e.k > s.pk << 32 AND e.k < (s.pk + 1) << 32)
  + (SELECT CAST(coalesce(sum(b.stored), 0) AS BIGINT) FROM event e JOIN blob b ON b.hash = e.blob
     WHERE e.k > s.pk << 32 AND e.k < (s.pk + 1) << 32) AS bytes
FROM session s ORDER BY bytes DESC, s.pk LIMIT ?

-- name: whole_contents
-- How many pieces of content there are, and their bytes.
SELECT count(*), CAST(coalesce(sum(stored), 0) AS BIGINT), CAST(coalesce(sum(size_bytes), 0) AS BIGINT) FROM blob

-- name: whole_flow_versions
-- How many versions of flows there are, and their bytes.
SELECT count(*), coalesce(sum(length(files)), 0) FROM flow_version

-- name: whole_states
-- How many keys of state there are, and their bytes.
SELECT count(*), coalesce(sum(length(value) + length(key)), 0) FROM state

-- name: whole_kinds
-- How many events there are, by type.
SELECT type, count(*), coalesce(sum(length(data)), 0) FROM event GROUP BY type ORDER BY 3 DESC, 1

-- name: whole_due
-- What is due to go: in the trash too long, deletions, imports, cut journals, content.
SELECT (SELECT count(*) FROM session WHERE shelf = 2 AND trashed_at < :trashed),
  (SELECT count(*) FROM session WHERE shelf = 4),
  (SELECT count(*) FROM session WHERE shelf = 3 AND listed_at < :imports),
  (SELECT count(*) FROM erasing),
  (SELECT count(*) FROM blob b WHERE NOT EXISTS (SELECT 1 FROM event WHERE event.blob = b.hash)),
  (SELECT CAST(coalesce(sum(stored), 0) AS BIGINT) FROM blob b WHERE NOT EXISTS (SELECT 1 FROM event WHERE event.blob = b.hash))
