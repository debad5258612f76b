-- The format that every later version reads. docs/file-format.md explains each column.

CREATE TABLE migration (
  version    INTEGER PRIMARY KEY,
  name       TEXT    NOT NULL,
  checksum   BLOB    NOT NULL,
  applied_at INTEGER NOT NULL
);

-- One row. `counter` and `rolling` belong to the witness: commits since the store was made, and a hash over them.
CREATE TABLE store (
  only_row   INTEGER PRIMARY KEY CHECK (only_row = 1),
  id         BLOB    NOT NULL,
  created_at INTEGER NOT NULL,
  counter    INTEGER NOT NULL,
  rolling    BLOB    NOT NULL
);

CREATE TABLE tenant (
  pk   INTEGER PRIMARY KEY,
  name TEXT    NOT NULL UNIQUE
);
INSERT INTO tenant (pk, name) VALUES (1, 'local');

-- Operations that are not of one session: making it and deleting it.
CREATE TABLE operation (
  tenant  INTEGER NOT NULL REFERENCES tenant (pk),
  id      BLOB    NOT NULL,
  request BLOB    NOT NULL,
  result  BLOB    NOT NULL,
  at      INTEGER NOT NULL,
  PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

CREATE TABLE session_name (
  tenant  INTEGER NOT NULL REFERENCES tenant (pk),
  id      TEXT    NOT NULL,
  session INTEGER NOT NULL,
  PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
CREATE INDEX session_name_session ON session_name (session);

-- Names that were in use once, as salted digests: a name taken again must not share keys with its former bearer.
CREATE TABLE name_used (
  tenant INTEGER NOT NULL,
  digest BLOB    NOT NULL,
  PRIMARY KEY (tenant, digest)
) WITHOUT ROWID;

-- shelf: 0 shown, 1 archived, 2 trashed, 3 hidden until an import is done, 4 being deleted.
CREATE TABLE session (
  pk            INTEGER PRIMARY KEY AUTOINCREMENT CHECK (pk < 2147483648),
  tenant        INTEGER NOT NULL REFERENCES tenant (pk),
  id            TEXT    NOT NULL,
  uid           BLOB    NOT NULL,
  status        TEXT    NOT NULL,
  shelf         INTEGER NOT NULL DEFAULT 0,
  pinned        INTEGER NOT NULL DEFAULT 0,
  epoch         INTEGER NOT NULL,
  epoch_seq     INTEGER NOT NULL,
  head_seq      INTEGER NOT NULL,
  head_hash     BLOB    NOT NULL,
  base_seq      INTEGER NOT NULL DEFAULT 0,
  base_hash     BLOB,
  fence         INTEGER NOT NULL DEFAULT 0,
  messages      INTEGER NOT NULL DEFAULT 0,
  labels        INTEGER NOT NULL DEFAULT 0,
  created_at    INTEGER NOT NULL,
  updated_at    INTEGER NOT NULL,
  listed_at     INTEGER NOT NULL,
  expires_at    INTEGER,
  warned_for    INTEGER,
  trashed_at    INTEGER,
  title         TEXT    NOT NULL DEFAULT '',
  agent         TEXT    NOT NULL DEFAULT '',
  model         TEXT    NOT NULL DEFAULT '',
  thinking      TEXT    NOT NULL DEFAULT '',
  channel       TEXT    NOT NULL DEFAULT '',
  reason        TEXT    NOT NULL DEFAULT '',
  parent        INTEGER,
  fork_of       INTEGER,
  fork_seq      INTEGER,
  tokens_in     INTEGER NOT NULL DEFAULT 0,
  tokens_out    INTEGER NOT NULL DEFAULT 0,
  tokens_cached INTEGER NOT NULL DEFAULT 0,
  cost_micros   INTEGER NOT NULL DEFAULT 0,
  flow          TEXT,
  flow_path     TEXT,
  flow_version  BLOB,
  flow_node     TEXT,
  flow_status   TEXT,
  flow_visits   INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX session_recent  ON session (tenant, shelf, pinned, listed_at, pk);
CREATE INDEX session_status  ON session (tenant, shelf, status, pinned, listed_at, pk);
CREATE INDEX session_created ON session (tenant, shelf, pinned, created_at, pk);
CREATE INDEX session_parent  ON session (parent)     WHERE parent IS NOT NULL;
CREATE INDEX session_fork    ON session (fork_of)    WHERE fork_of IS NOT NULL;
CREATE INDEX session_expiry  ON session (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE session_about (
  session     INTEGER PRIMARY KEY,
  description TEXT NOT NULL DEFAULT '',
  metadata    BLOB NOT NULL
);

CREATE TABLE session_tag (
  tenant    INTEGER NOT NULL,
  tag       TEXT    NOT NULL,
  pinned    INTEGER NOT NULL,
  listed_at INTEGER NOT NULL,
  session   INTEGER NOT NULL,
  PRIMARY KEY (tenant, tag, pinned, listed_at, session)
) WITHOUT ROWID;
CREATE INDEX session_tag_session ON session_tag (session);

CREATE TABLE session_context (
  tenant    INTEGER NOT NULL,
  kind      TEXT    NOT NULL,
  ref       TEXT    NOT NULL,
  pinned    INTEGER NOT NULL,
  listed_at INTEGER NOT NULL,
  session   INTEGER NOT NULL,
  PRIMARY KEY (tenant, kind, ref, pinned, listed_at, session)
) WITHOUT ROWID;
CREATE INDEX session_context_session ON session_context (session);

CREATE TABLE epoch (
  session   INTEGER NOT NULL,
  epoch     INTEGER NOT NULL,
  uid       BLOB    NOT NULL,
  first_seq INTEGER NOT NULL,
  began_at  INTEGER NOT NULL,
  reused    INTEGER NOT NULL,
  PRIMARY KEY (session, epoch)
) WITHOUT ROWID;

-- k = session << 32 | seq, so that a session's tail is one range. salt and data are NULL once erased.
CREATE TABLE event (
  k         INTEGER PRIMARY KEY,
  type      TEXT    NOT NULL,
  at        INTEGER NOT NULL,
  actor     TEXT    NOT NULL,
  cause     INTEGER,
  operation BLOB,
  request   BLOB,
  salt      BLOB,
  data      BLOB,
  blob      BLOB,
  digest    BLOB    NOT NULL,
  hash      BLOB    NOT NULL
);
CREATE INDEX event_operation ON event (operation) WHERE operation IS NOT NULL;
CREATE INDEX event_blob      ON event (blob)      WHERE blob IS NOT NULL;

CREATE TABLE blob (
  hash       BLOB    PRIMARY KEY,
  codec      TEXT    NOT NULL,
  size_bytes INTEGER NOT NULL,
  stored     INTEGER NOT NULL,
  inline     BLOB,
  place      TEXT
);

CREATE TABLE state (
  session INTEGER NOT NULL,
  key     TEXT    NOT NULL,
  value   BLOB    NOT NULL,
  seq     INTEGER NOT NULL,
  PRIMARY KEY (session, key)
) WITHOUT ROWID;

CREATE TABLE snapshot (
  session INTEGER NOT NULL,
  seq     INTEGER NOT NULL,
  state   BLOB    NOT NULL,
  PRIMARY KEY (session, seq)
) WITHOUT ROWID;

CREATE TABLE visit (
  session  INTEGER NOT NULL,
  position INTEGER NOT NULL,
  node     TEXT    NOT NULL,
  PRIMARY KEY (session, position)
) WITHOUT ROWID;

CREATE TABLE lease (
  session     INTEGER PRIMARY KEY,
  token       INTEGER NOT NULL,
  holder      BLOB    NOT NULL,
  acquired_at INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL
);

CREATE TABLE flow_version (
  tenant INTEGER NOT NULL,
  hash   BLOB    NOT NULL,
  name   TEXT    NOT NULL,
  codec  TEXT    NOT NULL,
  files  BLOB    NOT NULL,
  at     INTEGER NOT NULL,
  PRIMARY KEY (tenant, hash)
);
