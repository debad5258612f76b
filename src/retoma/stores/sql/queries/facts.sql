-- State, the flow's position, leases and flow versions.

-- name: put_state
-- One key of a session's state.
INSERT INTO state (session, key, value, seq) VALUES (?, ?, ?, ?)
ON CONFLICT (session, key) DO UPDATE SET value = excluded.value, seq = excluded.seq
-- grouped: as it is

-- name: state
-- A session's state.
SELECT key, value FROM state WHERE session = ? ORDER BY key

-- name: state_key
-- One key of a session's state.
SELECT value FROM state WHERE session = ? AND key = ?

-- name: drop_state_key
-- A key goes.
DELETE FROM state WHERE session = ? AND key = ?
-- grouped: as it is

-- name: put_pending
-- A call that a session waits for.
INSERT INTO pending (session, id, kind, what) VALUES (?, ?, ?, ?)
ON CONFLICT (session, id) DO UPDATE SET kind = excluded.kind, what = excluded.what

-- name: pending
-- The calls that a session waits for.
SELECT id, kind, what FROM pending WHERE session = ? ORDER BY id

-- name: drop_pending_kind
-- Calls of a kind that it waits for no more.
DELETE FROM pending WHERE session = ? AND kind = ?

-- name: drop_pending
-- All calls that it waits for go.
DELETE FROM pending WHERE session = ?

-- name: drop_state
-- All of a session's state goes.
DELETE FROM state WHERE session = ?

-- name: add_visit
-- A flow entered a node.
INSERT INTO visit (session, position, node) VALUES (?, ?, ?)

-- name: rename_visit
-- The node that was entered at a place has another id since.
UPDATE visit SET node = ? WHERE session = ? AND position = ?

-- name: cut_visits
-- A rollback leaves the nodes behind a place.
DELETE FROM visit WHERE session = ? AND position > ?

-- name: visits
-- The nodes that a flow entered, in order.
SELECT node FROM visit WHERE session = ? ORDER BY position

-- name: drop_visits
-- A flow's history starts empty.
DELETE FROM visit WHERE session = ?

-- name: begin_flow
-- A flow starts in a session.
UPDATE session SET flow = ?, flow_path = ?, flow_version = ? WHERE pk = ?

-- name: move_flow
-- Where a flow stands.
UPDATE session SET flow_node = ?, flow_status = ?, flow_visits = ? WHERE pk = ?

-- name: unwind_flow
-- The flow stands at a node that it visited before.
UPDATE session SET flow_status = ?1, flow_visits = ?2,
  flow_node = (SELECT node FROM visit WHERE session = ?3 AND position = ?2)
WHERE pk = ?3

-- name: set_flow_version
-- The version of the flow that runs now.
UPDATE session SET flow_version = ?, flow_path = ? WHERE pk = ?

-- name: add_flow_version
-- A version of a flow, once.
INSERT INTO flow_version (tenant, hash, name, codec, files, at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING

-- postgresql: add_flow_version
-- A version of a flow, once; what is there is locked, so that nobody drops it before this transaction refers to it.
INSERT INTO flow_version (tenant, hash, name, codec, files, at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (tenant, hash) DO UPDATE SET name = flow_version.name

-- name: flow_version
-- A version of a flow.
SELECT name, codec, files FROM flow_version WHERE tenant = ? AND hash = ?

-- name: lease_token
-- What a write checks: who may write, and until when.
SELECT token, expires_at, holder FROM lease WHERE session = ?

-- name: lease
-- A session's lease.
SELECT token, holder, acquired_at, expires_at FROM lease WHERE session = ?

-- fragment: leases_of
SELECT session, token, holder, acquired_at, expires_at FROM lease WHERE session IN ({keys})

-- name: put_lease
-- A session is driven by this holder from now on.
INSERT INTO lease (session, token, holder, acquired_at, expires_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (session) DO UPDATE SET token = excluded.token, holder = excluded.holder,
  acquired_at = excluded.acquired_at, expires_at = excluded.expires_at
-- kept: kept_lease 0 1 2

-- name: renew_lease
-- The same holder goes on.
UPDATE lease SET expires_at = ?, holder = ? WHERE session = ? AND token = ? RETURNING token

-- name: drop_lease
-- Nobody drives the session.
DELETE FROM lease WHERE session = ?

-- name: release_lease
-- This holder drives it no more.
DELETE FROM lease WHERE session = ? AND token = ?

-- name: drop_about
DELETE FROM session_about WHERE session = ?

-- name: drop_tags
DELETE FROM session_tag WHERE session = ?

-- name: drop_contexts
DELETE FROM session_context WHERE session = ?

-- name: drop_notes
DELETE FROM session_note WHERE session = ?

-- name: drop_epochs
DELETE FROM epoch WHERE session = ?

-- name: drop_snapshots
DELETE FROM snapshot WHERE session = ?
