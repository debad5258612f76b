-- Names once used have a salt of their own, and sessions that were found damaged are put aside. (The second copies of
-- SQLite's step are not needed here: data checksums are the server's.)

ALTER TABLE store ADD COLUMN name_salt BYTEA;
UPDATE store SET name_salt = id;

-- Sessions that `store check --repair` put aside. Their rows stay as they were found, but for the shelf, which is 5.
CREATE TABLE quarantine (
  session BIGINT PRIMARY KEY,
  id      TEXT   NOT NULL,
  at      BIGINT NOT NULL,
  why     TEXT   NOT NULL
);
