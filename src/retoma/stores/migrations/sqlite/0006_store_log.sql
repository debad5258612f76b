-- The store's own log, how far due work has come, and the template that a session was made from.

-- What nobody did by hand in a session: failed, put in the trash and deleted, with why. Once a session is deleted, `id` is
-- empty, and `digest` alone (as in name_used) says which one it was.
CREATE TABLE store_log (
  pk      INTEGER PRIMARY KEY,
  tenant  INTEGER NOT NULL,
  at      INTEGER NOT NULL,
  actor   TEXT    NOT NULL,
  deed    TEXT    NOT NULL,
  why     TEXT    NOT NULL,
  count   INTEGER NOT NULL,
  session INTEGER,
  id      TEXT    NOT NULL DEFAULT '',
  digest  BLOB
);
CREATE INDEX store_log_recent  ON store_log (tenant, at, pk);
CREATE INDEX store_log_session ON store_log (session, at, pk)        WHERE session IS NOT NULL;
CREATE INDEX store_log_digest  ON store_log (tenant, digest, at, pk) WHERE digest IS NOT NULL;
CREATE INDEX store_log_copy    ON store_log (pk, tenant, at, actor, deed, why, count, session, id, digest);

-- Where due work goes on, and by which clock it judges.
CREATE TABLE due (
  tenant INTEGER NOT NULL,
  name   TEXT    NOT NULL,
  at     INTEGER NOT NULL,
  key    INTEGER NOT NULL,
  PRIMARY KEY (tenant, name)
) WITHOUT ROWID;

ALTER TABLE session ADD COLUMN template TEXT NOT NULL DEFAULT '';
CREATE INDEX session_template_copy ON session (pk, template) WHERE template <> '';

-- What lies in the trash, the longest first: there may be very many that are not due.
CREATE INDEX session_trash ON session (tenant, trashed_at) WHERE trashed_at IS NOT NULL;
