-- Sessions that the OpenAI Agents SDK kept in a SQLite file. Its tables may have any names: what stands as "@name" here
-- is replaced by the name that was found.

-- name: tables
-- The tables that there are.
SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY rowid

-- name: columns
-- The columns of one of them.
SELECT name FROM pragma_table_info(?)

-- name: refers_to
-- The table that another one refers to by its session.
SELECT "table" FROM pragma_foreign_key_list(?) WHERE "from" = 'session_id'

-- name: sessions
-- The sessions, in the order in which they were made.
SELECT session_id, created_at FROM "@sessions" ORDER BY rowid

-- name: sessions_of_messages
-- The sessions that have messages, the row that says so or not.
SELECT session_id FROM "@messages" GROUP BY session_id ORDER BY min(id)

-- name: messages
-- What was said in one of them.
SELECT CAST(message_data AS BLOB), created_at, id FROM "@messages" WHERE session_id = ? ORDER BY id

-- name: branches
-- The branches of a session.
SELECT branch_id FROM "@structure" WHERE session_id = ? GROUP BY branch_id ORDER BY min(id)

-- name: messages_of_branch
-- What was said in one of them; no data where the message is gone.
SELECT CAST(m.message_data AS BLOB), coalesce(m.created_at, s.created_at), s.message_id
FROM "@structure" s LEFT JOIN "@messages" m ON m.id = s.message_id
WHERE s.session_id = ? AND s.branch_id = ? ORDER BY s.sequence_number, s.id

-- name: messages_of_none
-- What stands in no branch.
SELECT CAST(message_data AS BLOB), created_at, id FROM "@messages"
WHERE session_id = ?1 AND id NOT IN (SELECT message_id FROM "@structure" WHERE session_id = ?1) ORDER BY id

-- name: usage
-- What the turns of a branch cost.
SELECT * FROM "@usage" WHERE session_id = ? AND branch_id = ? ORDER BY id
