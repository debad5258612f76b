-- Sessions, their names, labels and what is said about them.

-- fragment: columns
s.pk, s.id, s.uid, s.status, s.reason, s.title, s.agent, s.model, s.thinking, s.channel,
(SELECT p.id FROM session p WHERE p.pk = s.parent AND p.tenant = s.tenant AND p.shelf < 4), s.epoch, s.head_seq, s.head_hash,
s.messages, s.tokens_in, s.tokens_out, s.tokens_cached, s.cost_micros, s.created_at, s.updated_at, s.expires_at,
s.pinned, s.shelf, s.trashed_at, s.flow, s.flow_path, s.flow_version, s.flow_node, s.flow_status, s.flow_visits,
s.template,
(SELECT f.id FROM session f WHERE f.pk = s.fork_of AND f.tenant = s.tenant AND f.shelf < 4), s.fork_seq

-- fragment: audit_columns
pk, tenant, id, uid, status, shelf, pinned, epoch, epoch_seq, head_seq, head_hash, base_seq, base_hash, fence, messages,
labels, created_at, updated_at, listed_at, trashed_at, title, agent, model, thinking, channel, reason, tokens_in,
tokens_out, tokens_cached, cost_micros, flow, flow_path, flow_version, flow_node, flow_status, flow_visits, template,
fork_of, fork_seq, parent, expires_at, warned_for

-- fragment: properties
title, agent, model, thinking, channel

-- fragment: properties_given
?, ?, ?, ?, ?

-- fragment: properties_set
title = ?, agent = ?, model = ?, thinking = ?, channel = ?

-- name: session_key
-- The session that bears a name.
SELECT session FROM session_name WHERE tenant = ? AND id = ?

-- name: session_head
-- What a write needs to know, by name: of a writer that waited for another, the name that the session still bears. (As
-- a join, SQLite prepares it anew each time that it is bound.)
SELECT pk, id, status, epoch, epoch_seq, head_seq, head_hash, fence, listed_at, messages, labels,
  shelf, base_seq
FROM session WHERE pk = (SELECT session FROM session_name WHERE tenant = ?1 AND id = ?2) AND tenant = ?1
  AND id = ?2
-- locks: FOR UPDATE

-- name: session
-- One session, whole.
SELECT {columns} FROM session s WHERE s.pk = ? AND s.tenant = ?

-- name: names_from
-- Names in order, from one on.
SELECT id FROM session_name WHERE tenant = ? AND id >= ? AND id < ? ORDER BY id LIMIT ?

-- name: last_written
-- Sessions of one shelf that an actor wrote in last, by the end of each journal. Lists move once a second, so the newest
-- of them is among the first.
SELECT s.updated_at, s.pk, s.id FROM session s WHERE s.tenant = ? AND s.shelf = ? AND s.pinned = ?
AND (SELECT e.actor FROM event e WHERE e.k = (s.pk << 32) + s.head_seq) = ?
ORDER BY s.listed_at DESC, s.pk DESC LIMIT 64

-- name: tags_from
-- Tags in order, from one on: each is sought in the index behind the one before.
WITH RECURSIVE found (tag) AS (
  SELECT min(tag) FROM session_tag WHERE tenant = ?1 AND tag >= ?2
  UNION ALL
  SELECT (SELECT min(tag) FROM session_tag WHERE tenant = ?1 AND tag > found.tag) FROM found WHERE tag IS NOT NULL
)
SELECT tag FROM found WHERE tag IS NOT NULL LIMIT ?3

-- name: name_of
-- The name that a session bears.
SELECT id FROM session_name WHERE session = ?

-- name: add_session
-- A new session; its journal begins with the event that makes it.
INSERT INTO session (tenant, id, uid, status, epoch, epoch_seq, head_seq, head_hash, created_at, updated_at, listed_at,
  expires_at, {properties}, parent, labels, template)
VALUES (?, ?, ?, 'active', 1, 0, 0, ?, ?, ?, ?, ?, {properties_given}, ?, ?, ?)
RETURNING pk

-- name: add_name
-- Give a session its name.
INSERT INTO session_name (tenant, id, session) VALUES (?, ?, ?)
-- kept: kept_name 0 1 2

-- name: drop_name
-- Free a session's name.
DELETE FROM session_name WHERE tenant = ? AND id = ?

-- name: mark_name_used
-- Remember, by digest, that a name was in use.
INSERT INTO name_used (tenant, digest) VALUES (?, ?) ON CONFLICT DO NOTHING

-- name: name_used
-- Whether a name was in use before.
SELECT 1 FROM name_used WHERE tenant = ? AND digest = ?

-- name: name_salt
-- What names that were in use are salted with.
SELECT name_salt FROM store

-- name: commits
-- How far the store's commits have come.
SELECT id, counter, rolling FROM store

-- name: commits_and_erasing
-- The same, and whether something that was erased may still be in the files.
SELECT id, counter, rolling, EXISTS (SELECT 1 FROM due WHERE tenant = 0 AND name = 'erasing') FROM store

-- name: count_commit
-- One commit more, after the one that was known.
UPDATE store SET counter = ?, rolling = ? WHERE counter = ? AND rolling = ? AND id = ?

-- name: add_about
-- What is said about a session.
INSERT INTO session_about (session, description, metadata) VALUES (?, ?, ?)

-- name: about
-- Description and metadata of a session.
SELECT description, metadata FROM session_about WHERE session = ?

-- name: add_tag
-- A tag of a session.
INSERT INTO session_tag (tenant, tag, pinned, listed_at, session) VALUES (?, ?, ?, ?, ?)

-- name: tags
-- A session's tags.
SELECT tag FROM session_tag WHERE session = ? ORDER BY tag

-- name: add_context
-- A context of a session.
INSERT INTO session_context (tenant, kind, ref, pinned, listed_at, session) VALUES (?, ?, ?, ?, ?, ?)

-- name: contexts
-- A session's contexts.
SELECT kind, ref FROM session_context WHERE session = ? ORDER BY kind, ref

-- fragment: abouts
SELECT session, description, metadata FROM session_about WHERE session IN ({keys})

-- fragment: tags_of
SELECT session, tag FROM session_tag WHERE session IN ({keys}) ORDER BY session, tag

-- fragment: contexts_of
SELECT session, kind, ref FROM session_context WHERE session IN ({keys}) ORDER BY session, kind, ref

-- name: add_epoch
-- An epoch begins.
INSERT INTO epoch (session, epoch, uid, first_seq, began_at, reused) VALUES (?, ?, ?, ?, ?, ?)

-- name: epochs
-- Where each epoch of a session begins.
SELECT first_seq, epoch FROM epoch WHERE session = ? ORDER BY epoch

-- name: move_head
-- The journal grew; lists stay as they are.
UPDATE session SET head_seq = ?, head_hash = ?, messages = ?, updated_at = ? WHERE pk = ?
-- grouped: move_heads

-- name: move_head_listed
-- The journal grew, and lists move the session too.
UPDATE session SET head_seq = ?, head_hash = ?, messages = ?, updated_at = ?, listed_at = ? WHERE pk = ?
-- grouped: move_heads

-- name: move_tags
-- Lists by tag follow.
UPDATE session_tag SET listed_at = ? WHERE session = ?
-- grouped: as it is

-- name: move_contexts
-- Lists by context follow.
UPDATE session_context SET listed_at = ? WHERE session = ?
-- grouped: as it is

-- name: set_status
-- The state changes; a final one ends the lease elsewhere.
UPDATE session SET status = ?, reason = ? WHERE pk = ?

-- name: spend
-- Messages used tokens.
UPDATE session SET tokens_in = tokens_in + ?, tokens_out = tokens_out + ?, tokens_cached = tokens_cached + ?
WHERE pk = ? RETURNING tokens_in, tokens_out, tokens_cached

-- name: set_epoch
-- A new epoch: state, flow position and totals start empty.
UPDATE session SET status = 'active', reason = '', epoch = ?, epoch_seq = ?, messages = 0, tokens_in = 0, tokens_out = 0,
  tokens_cached = 0, cost_micros = 0, flow = NULL, flow_path = NULL, flow_version = NULL, flow_node = NULL,
  flow_status = NULL, flow_visits = 0
WHERE pk = ?

-- name: set_fence
-- The last fencing token that was given out.
UPDATE session SET fence = ? WHERE pk = ?

-- name: hide_session
-- Deleting begins: nothing finds the session any more.
UPDATE session SET shelf = 4, parent = NULL, id = '', title = '', agent = '', model = '', channel = '', reason = '',
  trashed_at = NULL
WHERE pk = ?
-- kept: kept_deletion 0

-- name: doomed
-- Sessions whose rows are still to go.
SELECT pk FROM session WHERE tenant = ? AND shelf = 4 ORDER BY pk LIMIT 1
-- locks: FOR UPDATE

-- name: drop_session
-- The last row of a deleted session.
DELETE FROM session WHERE pk = ?
-- kept: kept_drop 0

-- name: operation
-- What an operation of the tenant did.
SELECT request, result FROM operation WHERE tenant = ? AND id = ?

-- name: add_operation
-- Remember what an operation of the tenant did.
INSERT INTO operation (tenant, id, request, result, at) VALUES (?, ?, ?, ?, ?)

-- name: copy_facts
-- What no event repeats, once more: of a session, and of those that belong to it.
INSERT INTO second_copy (session, uid, shelf, created_at, expires_at, parent, fork_of, fork_seq, flow_path, has_files, epoch,
  epoch_uid, reused)
SELECT s.pk, s.uid, s.shelf, s.created_at, s.expires_at, s.parent, s.fork_of, s.fork_seq, s.flow_path,
  (SELECT count(*) FROM flow_version v WHERE v.tenant = s.tenant AND v.hash = s.flow_version), e.epoch, e.uid, e.reused
FROM session s LEFT JOIN epoch e ON e.session = s.pk AND e.epoch = (SELECT min(x.epoch) FROM epoch x WHERE x.session = s.pk)
WHERE s.pk = ?1 OR s.parent = ?1
ON CONFLICT (session) DO UPDATE SET uid = excluded.uid, shelf = excluded.shelf, created_at = excluded.created_at, expires_at = excluded.expires_at,
  parent = excluded.parent, fork_of = excluded.fork_of, fork_seq = excluded.fork_seq, flow_path = excluded.flow_path,
  has_files = excluded.has_files, epoch = excluded.epoch, epoch_uid = excluded.epoch_uid, reused = excluded.reused

-- name: copy_key
-- Under which operation a session was made, or set aside.
UPDATE second_copy SET made_under = ? WHERE session = ?

-- name: move_key
-- What made the other made the line that takes its place.
UPDATE second_copy SET made_under = CASE session
  WHEN ?1 THEN (SELECT o.made_under FROM second_copy o WHERE o.session = ?2) END
WHERE session IN (?1, ?2)

-- name: drop_copy
-- A session goes, and its second copy with it.
DELETE FROM second_copy WHERE session = ?
