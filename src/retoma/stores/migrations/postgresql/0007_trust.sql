-- Rows that earlier versions wrote wrongly. What only the journal says is repaired in Python, with this step and in its
-- transaction: service/check/branches.py.

-- Second copies of what no event repeats and no append moves: `store check` compares them, so that a change through SQL
-- shows, too. `epoch`, `epoch_uid` and `reused` are those of the first epoch that is kept. `made_under`: the operation with a key
-- that made the session, or set it aside.
CREATE TABLE second_copy (
  session    BIGINT PRIMARY KEY,
  uid        BYTEA   NOT NULL,
  shelf      BIGINT  NOT NULL,
  created_at BIGINT  NOT NULL,
  expires_at BIGINT,
  parent     BIGINT,
  fork_of    BIGINT,
  fork_seq   BIGINT,
  flow_path  TEXT,
  has_files  BIGINT  NOT NULL,
  epoch      BIGINT,
  epoch_uid  BYTEA,
  reused     BIGINT,
  made_under BYTEA
);
INSERT INTO second_copy (session, uid, shelf, created_at, expires_at, parent, fork_of, fork_seq, flow_path, has_files,
  epoch, epoch_uid, reused)
SELECT s.pk, s.uid, s.shelf, s.created_at, s.expires_at, s.parent, s.fork_of, s.fork_seq, s.flow_path,
  (SELECT count(*) FROM flow_version v WHERE v.tenant = s.tenant AND v.hash = s.flow_version), e.epoch, e.uid, e.reused
FROM session s LEFT JOIN epoch e ON e.session = s.pk AND e.epoch = (SELECT min(x.epoch) FROM epoch x WHERE x.session = s.pk)
WHERE s.shelf < 3;

-- What stands for an entry of the log, so that a change of it shows. Entries of earlier formats have none.
ALTER TABLE store_log ADD COLUMN mark BYTEA;
