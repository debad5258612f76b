-- What PostgreSQL alone is asked.

-- name: lease_beside
-- The lease of the session that bears a name, asked in the breath that locks the session.
SELECT n.session, l.token, l.expires_at, l.holder FROM session_name n LEFT JOIN lease l ON l.session = n.session
WHERE n.tenant = ? AND n.id = ?

-- name: one_at_a_time
-- What no row stands for (how many sessions there are, whether a journal comes in) is locked by its tenant.
SELECT pg_advisory_xact_lock(1381256513 * 4294967296 + ?)

-- name: notify
-- Wake who follows a store of this database.
SELECT pg_notify('retoma', '')

-- name: listen
-- Be woken by that.
LISTEN retoma

-- name: hold_tables
-- While a store is upgraded others read it, and write nothing.
LOCK TABLE session, event, state IN SHARE ROW EXCLUSIVE MODE

-- name: began
-- What a new connection sets and learns. Waiting for a lock, and a transaction whose client is gone, have an end;
-- a server that was told not to wait for its disk is told to wait.
SELECT set_config('lock_timeout', '3s', false), set_config('idle_in_transaction_session_timeout', '5s', false),
  set_config('tcp_keepalives_idle', '5', false), set_config('tcp_keepalives_interval', '1', false),
  set_config('tcp_keepalives_count', '3', false), set_config('tcp_user_timeout', '4s', false),
  set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
    ELSE current_setting('synchronous_commit') END, false),
  EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND c.relname = 'migration')

-- name: applied
-- The migrations of this store.
SELECT version, checksum FROM migration ORDER BY version

-- name: add_migration
-- A migration was applied.
INSERT INTO migration (version, name, checksum, applied_at) VALUES (?, ?, ?, ?)

-- name: add_store
-- A new store.
INSERT INTO store (only_row, id, created_at, counter, rolling) VALUES (1, ?, ?, 0, ?)

-- name: facts
-- What the server says of itself.
SELECT current_setting('server_version'), current_setting('synchronous_commit'), current_setting('fsync'),
  current_setting('full_page_writes'), pg_is_in_recovery(), pg_database_size(current_database())

-- name: at_work
-- Whether a connection is still at its statement, and does not wait for its client.
SELECT 1 FROM pg_stat_activity WHERE pid = ? AND state = 'active' AND wait_event IS DISTINCT FROM 'ClientRead'

-- name: kept_event
-- Whether an append was kept, when the answer to COMMIT was lost.
SELECT 1 FROM event WHERE k = ? AND hash = ?

-- name: kept_lease
-- The same of a lease.
SELECT 1 FROM lease WHERE session = ? AND token = ? AND holder = ?

-- name: kept_name
-- The same of a name.
SELECT 1 FROM session_name WHERE tenant = ? AND id = ? AND session = ?

-- name: kept_deletion
-- The same of a deletion.
SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM session WHERE pk = ? AND shelf < 4)

-- name: kept_drop
-- The same of a session that went for good.
SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM session WHERE pk = ?)

-- name: heads_together
-- What a group of writes needs to know, as `session_head` of each. Who is locked by another writes by itself.
SELECT a.tenant, a.id, s.pk, s.id, s.status, s.epoch, s.epoch_seq, s.head_seq, s.head_hash, s.fence, s.listed_at, s.messages,
  s.labels, s.shelf, s.base_seq
FROM unnest(?::bigint[], ?::text[]) AS a (tenant, id)
JOIN session_name n ON n.tenant = a.tenant AND n.id = a.id
JOIN session s ON s.pk = n.session AND s.tenant = a.tenant AND s.id = a.id
ORDER BY s.pk FOR UPDATE OF s SKIP LOCKED

-- name: leases_together
-- The leases beside them, asked once they are locked: a lease changes under its session's lock.
SELECT a.tenant, a.id, n.session, l.token, l.expires_at, l.holder FROM unnest(?::bigint[], ?::text[]) AS a (tenant, id)
JOIN session_name n ON n.tenant = a.tenant AND n.id = a.id LEFT JOIN lease l ON l.session = n.session

-- name: add_events
-- The events of a group.
INSERT INTO event (k, type, at, actor, cause, operation, request, salt, data, blob, digest, hash)
SELECT * FROM unnest(?::bigint[], ?::text[], ?::bigint[], ?::text[], ?::bigint[], ?::bytea[], ?::bytea[], ?::bytea[],
  ?::bytea[], ?::bytea[], ?::bytea[], ?::bytea[])

-- name: move_heads
-- The journals of a group grew; lists follow those that have a new place there.
UPDATE session s SET head_seq = a.seq, head_hash = a.hash, messages = a.messages, updated_at = a.at,
  listed_at = coalesce(a.listed, s.listed_at)
FROM unnest(?::bigint[], ?::bytea[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[])
  AS a (seq, hash, messages, at, listed, session)
WHERE s.pk = a.session
