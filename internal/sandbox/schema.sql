-- Money is whole UGX, times are Unix milliseconds.

CREATE TABLE IF NOT EXISTS wallets (
  id      TEXT PRIMARY KEY,
  balance INTEGER NOT NULL CHECK (balance >= 0)
) STRICT;

CREATE TABLE IF NOT EXISTS api_keys (
  id          TEXT PRIMARY KEY,
  secret_hash TEXT NOT NULL, -- bcrypt
  wallet_id   TEXT NOT NULL REFERENCES wallets (id),
  revoked     INTEGER NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS deposits (
  id          TEXT PRIMARY KEY,
  wallet_id   TEXT NOT NULL REFERENCES wallets (id),
  amount      INTEGER NOT NULL,
  phone       TEXT NOT NULL,
  description TEXT NOT NULL,
  status      TEXT NOT NULL DEFAULT 'pending',
  answer      TEXT NOT NULL, -- the status that the payer will give it
  answers_at  INTEGER        -- NULL: never
) STRICT;

CREATE INDEX IF NOT EXISTS deposits_pending ON deposits (answers_at) WHERE status = 'pending';

CREATE TABLE IF NOT EXISTS batches (
  id         TEXT PRIMARY KEY,
  wallet_id  TEXT NOT NULL REFERENCES wallets (id),
  message    TEXT NOT NULL,
  status     TEXT NOT NULL,
  units      INTEGER NOT NULL, -- for each recipient
  cost       INTEGER NOT NULL, -- for each recipient, 0 once refunded
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS messages (
  seq      INTEGER PRIMARY KEY,
  id       TEXT NOT NULL,
  batch_id TEXT NOT NULL REFERENCES batches (id),
  phone    TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS contact_groups (
  seq         INTEGER PRIMARY KEY,
  id          TEXT NOT NULL UNIQUE,
  wallet_id   TEXT NOT NULL REFERENCES wallets (id),
  title       TEXT NOT NULL,
  description TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS contacts (
  seq      INTEGER PRIMARY KEY,
  group_id TEXT NOT NULL REFERENCES contact_groups (id),
  phone    TEXT NOT NULL,
  name     TEXT NOT NULL,
  UNIQUE (group_id, phone)
) STRICT;
