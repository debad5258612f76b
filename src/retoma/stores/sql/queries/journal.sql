-- The journal: events in the order of k = session << 32 | seq.

-- name: add_event
-- One event at the journal's end.
INSERT INTO event (k, type, at, actor, cause, operation, request, salt, data, blob, digest, hash)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
-- kept: kept_event 0 -1
-- grouped: add_events

-- fragment: event_columns
k & 4294967295, type, at, actor, cause, operation, request, salt, data, digest, hash, blob

-- name: events_up
-- A session's own events, oldest first; none while some that it shares come before.
SELECT {event_columns} FROM event WHERE k > ?1 AND k < ?2
AND NOT EXISTS (SELECT 1 FROM segment WHERE session = ?4 AND last_seq > ?5) ORDER BY k LIMIT ?3

-- name: naming
-- Those of a stretch that may say what a session is called, newest first.
SELECT {event_columns} FROM event WHERE k >= ?1 AND k <= ?2
AND type IN ('session.created', 'session.forked', 'session.updated') ORDER BY k DESC

-- name: events_down
-- A session's own events, newest first.
SELECT {event_columns} FROM event WHERE k > ? AND k < ? ORDER BY k DESC LIMIT ?

-- name: events_picked
-- Events by their places, of any sessions.
SELECT k >> 32, {event_columns} FROM event WHERE k IN ({many})

-- name: operation_of_session
-- The events that an operation wrote in a session, or in the past that it shares.
SELECT k, request FROM event WHERE operation = ?1 AND (k > ?2 AND k < ?3 OR EXISTS (
  SELECT 1 FROM segment WHERE session = ?4 AND source = k >> 32
  AND first_seq <= k & 4294967295 AND last_seq >= k & 4294967295))
ORDER BY k & 4294967295

-- name: add_blob
-- Content by its hash, once.
INSERT INTO blob (hash, codec, size_bytes, stored, inline) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING

-- postgresql: add_blob
-- Content by its hash, once; what is there is locked, so that nobody drops it before this transaction refers to it.
INSERT INTO blob (hash, codec, size_bytes, stored, inline) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (hash) DO UPDATE SET size_bytes = excluded.size_bytes

-- name: blob
-- Content by its hash.
SELECT codec, inline FROM blob WHERE hash = ?

-- name: blobs_of
-- What a stretch of the journal refers to.
SELECT blob FROM event WHERE k > ? AND k <= ? AND blob IS NOT NULL

-- name: last_of_chunk
-- Where a chunk of a session's events ends.
SELECT max(k) FROM (SELECT k FROM event WHERE k > ? AND k < ? ORDER BY k LIMIT ?) AS chunk

-- name: drop_events
-- A stretch of the journal goes.
DELETE FROM event WHERE k > ? AND k <= ?

-- name: hold_blob
-- Content that may go: where writers meet, none begins to refer to it before it went.
SELECT 1 FROM blob WHERE hash = ?
-- locks: FOR UPDATE

-- name: drop_blob
-- Content that no event refers to any more.
DELETE FROM blob WHERE hash = ?1 AND NOT EXISTS (SELECT 1 FROM event WHERE blob = ?1)
