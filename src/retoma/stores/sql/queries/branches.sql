-- Forks: stretches of other journals that come before a journal's own events, and snapshots of the past.

-- name: line_ends
-- Where a journal begins and ends.
SELECT base_seq, head_seq FROM session WHERE pk = ?

-- name: segments
-- The stretches of other journals that a session reads, in order.
SELECT first_seq, last_seq, source FROM segment WHERE session = ? ORDER BY last_seq

-- fragment: inherited
FROM segment g CROSS JOIN event e ON e.k > (g.source << 32) + CASE WHEN g.first_seq > ?2 THEN g.first_seq - 1 ELSE ?2 END
AND e.k < (g.source << 32) + CASE WHEN g.last_seq < ?3 THEN g.last_seq + 1 ELSE ?3 END
WHERE g.session = ?1 AND g.last_seq > ?2 AND g.first_seq < ?3

-- name: inherited_up
-- Events that a fork shares, oldest first.
SELECT {event_columns} {inherited} ORDER BY g.last_seq, e.k LIMIT ?4

-- postgresql: inherited_up
-- Events that a fork shares, oldest first: no more of each stretch than is asked for, which SQLite's order of a join does by itself.
SELECT e.* FROM segment g, LATERAL (
  SELECT k & 4294967295, type, at, actor, cause, operation, request, salt, data, digest, hash, blob FROM event
  WHERE k > (g.source << 32) + GREATEST(g.first_seq - 1, ?2::bigint) AND k < (g.source << 32) + LEAST(g.last_seq + 1, ?3::bigint)
  ORDER BY k LIMIT ?4) AS e
WHERE g.session = ?1 AND g.last_seq > ?2 AND g.first_seq < ?3 ORDER BY g.last_seq, 1 LIMIT ?4

-- name: inherited_down
-- Events that a fork shares, newest first.
SELECT {event_columns} {inherited} ORDER BY g.last_seq DESC, e.k DESC LIMIT ?4

-- postgresql: inherited_down
-- The same, newest first.
SELECT e.* FROM segment g, LATERAL (
  SELECT k & 4294967295, type, at, actor, cause, operation, request, salt, data, digest, hash, blob FROM event
  WHERE k > (g.source << 32) + GREATEST(g.first_seq - 1, ?2::bigint) AND k < (g.source << 32) + LEAST(g.last_seq + 1, ?3::bigint)
  ORDER BY k DESC LIMIT ?4) AS e
WHERE g.session = ?1 AND g.last_seq > ?2 AND g.first_seq < ?3 ORDER BY g.last_seq DESC, 1 DESC LIMIT ?4

-- name: add_fork
-- A session that begins with another's past.
INSERT INTO session (tenant, id, uid, status, shelf, pinned, epoch, epoch_seq, head_seq, head_hash, base_seq, base_hash,
  messages, labels, created_at, updated_at, listed_at, expires_at, {properties}, template, fork_of,
  fork_seq, tokens_in, tokens_out, tokens_cached, cost_micros, flow, flow_path, flow_version, flow_node, flow_status,
  flow_visits)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {properties_given},
  ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
RETURNING pk

-- name: fork_segments
-- What the other inherited itself, up to an event, is inherited from where its rows are.
INSERT INTO segment (session, first_seq, last_seq, source)
SELECT ?1, first_seq, CASE WHEN last_seq < ?3 THEN last_seq ELSE ?3 END, source FROM segment
WHERE session = ?2 AND first_seq <= ?3

-- name: add_segment
-- A stretch of another's own rows.
INSERT INTO segment (session, first_seq, last_seq, source) VALUES (?, ?, ?, ?)

-- name: fork_state
-- The state that the other has now.
INSERT INTO state (session, key, value, seq) SELECT ?1, key, value, seq FROM state WHERE session = ?2

-- name: fork_visits
-- The nodes that its flow visited.
INSERT INTO visit (session, position, node) SELECT ?1, position, node FROM visit WHERE session = ?2

-- name: fork_epochs
-- Its epochs up to an event.
INSERT INTO epoch (session, epoch, uid, first_seq, began_at, reused)
SELECT ?1, epoch, uid, first_seq, began_at, reused FROM epoch WHERE session = ?2 AND epoch <= ?3

-- name: epoch_begins
-- The first event of an epoch.
SELECT first_seq FROM epoch WHERE session = ? AND epoch = ?

-- name: renew_epoch
-- An epoch goes on under a uid of its own: what it does from here on was not done before.
UPDATE epoch SET uid = ?, reused = 1 WHERE session = ? AND epoch = ?

-- name: fork_notes
-- Its notes up to an event.
INSERT INTO session_note (session, seq) SELECT ?1, seq FROM session_note WHERE session = ?2 AND seq <= ?3

-- name: fork_flow_uses
-- The versions of flows that it ran.
INSERT INTO flow_use (tenant, hash, session) SELECT tenant, hash, ?1 FROM flow_use WHERE session = ?2

-- name: take_place
-- A line stands in the place of another: its parent, its fencing tokens, what was warned of.
UPDATE session SET parent = (SELECT o.parent FROM session o WHERE o.pk = ?2),
  fence = (SELECT o.fence FROM session o WHERE o.pk = ?2),
  warned_for = (SELECT o.warned_for FROM session o WHERE o.pk = ?2)
WHERE pk = ?1

-- name: leave_parent
-- The other line belongs to nobody.
UPDATE session SET parent = NULL WHERE pk = ?

-- name: move_children
-- Its children belong to the new line.
UPDATE session SET parent = ?1 WHERE parent = ?2

-- name: move_lease
-- Whoever drives it drives the new line.
UPDATE lease SET session = ?1 WHERE session = ?2

-- name: move_log
-- What the log says of the other is said of the new line.
UPDATE store_log SET session = ?1, id = ?2, digest = ?3 WHERE session = ?4

-- name: move_operation
-- The key that made the other leads to the new line.
UPDATE operation SET result = ?1 WHERE tenant = ?2 AND result = ?3

-- name: forks_of
-- Sessions that were forked from one, shown or archived.
SELECT {columns} FROM session s WHERE s.fork_of = ?1 AND s.tenant = ?2 AND s.shelf < 2 ORDER BY s.pk LIMIT ?3

-- name: readers
-- Sessions that read own rows of a journal, from one on.
SELECT g.session, s.id, g.first_seq, g.last_seq FROM segment g CROSS JOIN session s ON s.pk = g.session
WHERE g.source = ?1 AND g.last_seq >= ?2 AND s.shelf < 3 ORDER BY g.session

-- name: shared_until
-- Up to where a journal is read by others.
SELECT max(last_seq) FROM segment WHERE source = ?

-- name: fork_points
-- Where others begin that read a journal.
SELECT DISTINCT last_seq FROM segment WHERE source = ? ORDER BY last_seq

-- name: drop_segments
-- A session reads no other journal any more.
DELETE FROM segment WHERE session = ?

-- name: free_sources
-- What it read, and nobody else may read, is due: rows of sessions that are gone, and of beginnings that were cut off.
INSERT INTO erasing (tenant, session, last_seq)
SELECT r.tenant, g.source, CASE WHEN s.pk IS NULL THEN 4294967295 ELSE s.base_seq END
FROM segment g CROSS JOIN session r ON r.pk = g.session LEFT JOIN session s ON s.pk = g.source
WHERE g.session = ?1 AND (s.pk IS NULL OR s.base_seq >= g.first_seq)
ON CONFLICT (tenant, session) DO UPDATE
SET last_seq = CASE WHEN excluded.last_seq > erasing.last_seq THEN excluded.last_seq ELSE erasing.last_seq END

-- name: first_event
-- The first row in a stretch.
SELECT min(k) FROM event WHERE k > ? AND k < ?

-- name: read_until
-- The last of the rows from one on that others read without a gap.
SELECT max(last_seq) FROM segment WHERE source = ?1 AND last_seq >= ?2 AND first_seq <= ?2

-- name: read_next
-- The next row that others read.
SELECT min(first_seq) FROM segment WHERE source = ?1 AND last_seq > ?2 AND first_seq > ?2

-- name: event_hash
-- The hash of one event.
SELECT hash FROM event WHERE k = ?

-- name: put_snapshot
-- What a journal says at an event.
INSERT INTO snapshot (session, seq, state) VALUES (?, ?, ?)
ON CONFLICT (session, seq) DO UPDATE SET state = excluded.state

-- name: own_snapshot
-- The newest snapshot of a journal's own events up to one.
SELECT seq, state FROM snapshot WHERE session = ? AND seq > ? AND seq <= ? ORDER BY seq DESC LIMIT 1

-- name: inherited_snapshot
-- The newest snapshot in what a fork shares, up to an event.
SELECT x.session, x.seq, x.state FROM segment g CROSS JOIN snapshot x ON x.session = g.source
AND x.seq >= g.first_seq AND x.seq <= CASE WHEN g.last_seq < ?2 THEN g.last_seq ELSE ?2 END
WHERE g.session = ?1 AND g.first_seq <= ?2 ORDER BY g.last_seq DESC, x.seq DESC LIMIT 1

-- name: drop_snapshots_beyond
-- Snapshots of what comes behind a journal in the lines that read it.
DELETE FROM snapshot WHERE session IN (
  SELECT session FROM segment WHERE source = ?1
  UNION SELECT b.source FROM segment a CROSS JOIN segment b ON b.session = a.session WHERE a.source = ?1
)

-- name: drop_snapshots_between
-- Snapshots of a stretch.
DELETE FROM snapshot WHERE session = ? AND seq > ? AND seq <= ?
