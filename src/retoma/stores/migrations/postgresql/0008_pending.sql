-- Calls that a session waits for, several at a time: of a flow's tool, and later of agents' tools, approvals and questions.
-- `id` is the call's own, in its session; `kind` says who asked; `what` is the call as JSON. What a flow waits for was in
-- the key `sys` of the state before: it is moved in Python, with this step and in its transaction.
CREATE TABLE pending (
  session BIGINT NOT NULL,
  id      TEXT   COLLATE "C" NOT NULL,
  kind    TEXT   NOT NULL,
  what    BYTEA  NOT NULL,
  PRIMARY KEY (session, id)
);
