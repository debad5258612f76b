-- What only export and import need. A session that comes in is hidden (shelf 3) until it is published.

-- name: session_base
-- What a journal's first event is chained to, once its beginning was cut off.
SELECT base_seq, base_hash FROM session WHERE pk = ? AND tenant = ?

-- name: epoch_rows
-- A session's epochs.
SELECT epoch, uid, first_seq, began_at, reused FROM epoch WHERE session = ? ORDER BY epoch

-- name: state_page
-- State with the events that set it, from one key on.
SELECT key, value, seq FROM state WHERE session = ? AND key > ? ORDER BY key LIMIT ?

-- name: first_state_page
-- State with the events that set it, from the first key on: no key sorts before it, the empty one included.
SELECT key, value, seq FROM state WHERE session = ? ORDER BY key LIMIT ?

-- name: visits_page
-- The nodes that a flow entered, from one place on. With an end: a damaged place that is no number comes behind all.
SELECT node FROM visit WHERE session = ?1 AND position > ?2 AND position <= ?2 + ?3 ORDER BY position LIMIT ?3

-- name: sessions_of_uid
-- The sessions of one uid, shown and hidden: found by when they were made, which no index of its own could do faster.
SELECT pk, id, shelf, head_seq, head_hash, base_seq, reason FROM session
WHERE tenant = ? AND shelf IN (0, 1, 2, 3) AND pinned IN (0, 1) AND created_at = ? AND uid = ?
-- locks: ORDER BY pk FOR UPDATE
-- alone: 0

-- name: stale_incoming
-- An import that nobody went on with.
SELECT pk FROM session WHERE tenant = ? AND shelf = 3 AND pinned = 0 AND listed_at < ? LIMIT 1
-- locks: FOR UPDATE

-- name: add_incoming
-- A session that comes in: no name, nothing but where its journal begins and what it is to become.
INSERT INTO session (tenant, id, uid, status, shelf, epoch, epoch_seq, head_seq, head_hash, base_seq, base_hash,
  created_at, updated_at, listed_at, reason)
VALUES (?, '', ?, 'active', 3, 1, 0, ?, ?, ?, ?, ?, ?, ?, ?)
RETURNING pk

-- name: take_incoming
-- From now on this import writes there, and an earlier one no more.
UPDATE session SET fence = fence + 1, listed_at = ? WHERE pk = ? AND tenant = ? AND shelf = 3 RETURNING fence

-- name: incoming_token
-- Who writes in a session that comes in.
SELECT fence FROM session WHERE pk = ? AND tenant = ? AND shelf = 3
-- locks: FOR UPDATE

-- name: move_incoming
-- The journal of a session that comes in grew.
UPDATE session SET head_seq = ?, head_hash = ?, listed_at = ? WHERE pk = ?

-- name: doom_incoming
-- A session that came in goes again.
UPDATE session SET shelf = 4, reason = '' WHERE pk = ? AND tenant = ? AND shelf = 3

-- name: publish_session
-- A session becomes what the file says.
UPDATE session SET id = ?, shelf = ?, pinned = ?, status = ?, reason = ?, epoch = ?, epoch_seq = ?, head_seq = ?,
  head_hash = ?, messages = ?, labels = ?, updated_at = ?, listed_at = ?, expires_at = ?, {properties_set},
  tokens_in = ?, tokens_out = ?, tokens_cached = ?, cost_micros = ?, flow = ?,
  flow_path = ?, flow_version = ?, flow_node = ?, flow_status = ?, flow_visits = ?,
  template = ?
WHERE pk = ? AND tenant = ?

-- name: set_parent
-- The session that another belongs to.
UPDATE session SET parent = ? WHERE pk = ? AND tenant = ?

-- name: hand_over_events
-- What came in goes to the end of the journal that it belongs to.
UPDATE event SET k = k + ? WHERE k > ? AND k < ?

-- name: hand_over_pending
-- The calls that are waited for with it.
UPDATE pending SET session = ? WHERE session = ?

-- name: hand_over_state
-- And the state with it.
UPDATE state SET session = ? WHERE session = ?

-- name: hand_over_visits
-- And the flow's history.
UPDATE visit SET session = ? WHERE session = ?

-- name: hand_over_notes
-- And its notes.
UPDATE session_note SET session = ? WHERE session = ?
