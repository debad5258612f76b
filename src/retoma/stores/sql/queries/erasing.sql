-- Forgetting: data that goes while its place in the chain stays, and journals that are cut.

-- name: erase_event
-- Data and salt go; the digest that stands for them stays.
UPDATE event SET salt = NULL, data = NULL, blob = NULL WHERE k = ?

-- name: blob_of_event
-- The content that an event refers to.
SELECT blob FROM event WHERE k = ? AND blob IS NOT NULL

-- name: cut_journal
-- The journal begins behind this event from now on.
UPDATE session SET base_seq = ?, base_hash = ? WHERE pk = ?

-- name: drop_notes_until
-- Notes that were cut off.
DELETE FROM session_note WHERE session = ? AND seq <= ?

-- name: drop_epochs_until
-- Epochs that were cut off.
DELETE FROM epoch WHERE session = ? AND epoch <= ?

-- name: add_erasing
-- Events are still to be deleted up to this one.
INSERT INTO erasing (tenant, session, last_seq) VALUES (?, ?, ?)
ON CONFLICT (tenant, session) DO UPDATE SET last_seq = excluded.last_seq

-- name: erasing
-- A journal with events that are still to be deleted.
SELECT session, last_seq FROM erasing WHERE tenant = ? LIMIT 1
-- locks: FOR UPDATE

-- name: drop_erasing
-- Nothing is left to be deleted.
DELETE FROM erasing WHERE tenant = ? AND session = ?

-- name: add_flow_use
-- A session runs a version of a flow.
INSERT INTO flow_use (tenant, hash, session) VALUES (?, ?, ?) ON CONFLICT DO NOTHING

-- name: flow_uses
-- The versions that a session ran.
SELECT tenant, hash FROM flow_use WHERE session = ?

-- name: drop_flow_uses
-- A session ran none of them.
DELETE FROM flow_use WHERE session = ?

-- name: hold_flow_version
-- A version that may go: where writers meet, none begins to run it before it went.
SELECT 1 FROM flow_version WHERE tenant = ? AND hash = ?
-- locks: FOR UPDATE

-- name: drop_flow_version
-- A version that no session ran goes.
DELETE FROM flow_version WHERE tenant = ?1 AND hash = ?2
AND NOT EXISTS (SELECT 1 FROM flow_use WHERE tenant = ?1 AND hash = ?2)

-- name: mark_erasing
-- What was erased may still be in the file's free space, or in its log. The next writer sees to it.
INSERT INTO due (tenant, name, at, key) VALUES (0, 'erasing', 0, 0) ON CONFLICT DO NOTHING

-- name: unmark_erasing
-- It is not.
DELETE FROM due WHERE tenant = 0 AND name = 'erasing'
