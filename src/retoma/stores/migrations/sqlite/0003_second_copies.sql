-- Second copies of what no event repeats, so that SQLite's own check, which compares every index with its table, sees a
-- bit that flips in it; and sessions that were found damaged and put aside.

-- Names once used are salted with this, and no longer with the store's id: a restored store gets an id of its own.
ALTER TABLE store ADD COLUMN name_salt BLOB;
UPDATE store SET name_salt = id;

-- None of these columns moves when a journal grows, so an append does not touch these indexes.
CREATE INDEX session_copy ON session (pk, id, uid, epoch, epoch_seq, base_seq, base_hash, fence, warned_for, trashed_at,
  title, agent, model, thinking, channel, reason, fork_seq, flow, flow_path, flow_version);
CREATE INDEX session_about_copy ON session_about (session, description, metadata);
CREATE INDEX epoch_copy ON epoch (session, epoch, uid, first_seq, began_at, reused);
CREATE INDEX lease_copy ON lease (session, token, holder, acquired_at, expires_at);
CREATE INDEX flow_version_copy ON flow_version (tenant, hash, name, codec, at);
CREATE INDEX operation_copy ON operation (tenant, id, request, result, at);
CREATE INDEX store_copy ON store (id, created_at, name_salt);
CREATE INDEX migration_copy ON migration (version, name, checksum, applied_at);

-- Sessions that `store check --repair` put aside. Their rows stay as they were found, but for the shelf, which is 5.
CREATE TABLE quarantine (
  session INTEGER PRIMARY KEY,
  id      TEXT    NOT NULL,
  at      INTEGER NOT NULL,
  why     TEXT    NOT NULL
);
