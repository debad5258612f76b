-- What is said of a session, changed after it was made.

-- name: put_profile
-- The texts in a session's row, its shelf and its pin.
UPDATE session SET {properties_set}, reason = ?, pinned = ?, labels = ?
WHERE pk = ?

-- name: title
-- A session's title.
SELECT title FROM session WHERE pk = ?

-- name: put_about
-- Description and metadata.
INSERT INTO session_about (session, description, metadata) VALUES (?, ?, ?)
ON CONFLICT (session) DO UPDATE SET description = excluded.description, metadata = excluded.metadata

-- name: drop_tag
-- A tag goes.
DELETE FROM session_tag WHERE session = ? AND tag = ?

-- name: drop_context
-- A context goes.
DELETE FROM session_context WHERE session = ? AND kind = ? AND ref = ?

-- name: pin_tags
-- Lists by tag show the session first, or not.
UPDATE session_tag SET pinned = ? WHERE session = ?

-- name: pin_contexts
-- Lists by context show the session first, or not.
UPDATE session_context SET pinned = ? WHERE session = ?

-- name: put_shelf
-- Shown, archived, or in the trash since an instant.
UPDATE session SET shelf = ?, trashed_at = ? WHERE pk = ?

-- name: put_id
-- A session bears another name.
UPDATE session SET id = ? WHERE pk = ?

-- name: mark_epoch_reused
-- The running epoch goes under a name that was in use before.
UPDATE epoch SET reused = 1 WHERE session = ? AND epoch = ?

-- name: add_note
-- An event is a note.
INSERT INTO session_note (session, seq) VALUES (?, ?)

-- name: notes
-- Which events are notes.
SELECT seq FROM session_note WHERE session = ? ORDER BY seq

-- name: trash_due
-- The session that was in the trash before an instant for longest.
SELECT id FROM session WHERE tenant = ? AND shelf = 2 AND trashed_at < ? ORDER BY trashed_at LIMIT 1
-- locks: FOR UPDATE
