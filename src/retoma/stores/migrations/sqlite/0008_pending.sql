-- Calls that a session waits for, several at a time: of a flow's tool, and later of agents' tools, approvals and questions.
-- `id` is the call's own, in its session; `kind` says who asked; `what` is the call as JSON. What a flow waits for was in
-- the key `sys` of the state before: it is moved in Python, with this step and in its transaction.
CREATE TABLE pending (
  session INTEGER NOT NULL,
  id      TEXT    NOT NULL,
  kind    TEXT    NOT NULL,
  what    BLOB    NOT NULL,
  PRIMARY KEY (session, id)
) WITHOUT ROWID;
