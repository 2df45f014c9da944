-- The tables are those of SQLite's 00001_init.sql, and described there.

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value BYTEA NOT NULL
);

CREATE TABLE spends (
  seq            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id             TEXT NOT NULL UNIQUE,
  account        TEXT NOT NULL,
  caller         TEXT NOT NULL,
  tool           TEXT NOT NULL,
  kind           TEXT NOT NULL CHECK (kind IN ('send', 'topup')),
  dedup_hash     BYTEA NOT NULL,
  arguments_hash BYTEA NOT NULL,
  recipients     BIGINT NOT NULL,
  units          BIGINT NOT NULL,
  total          BIGINT NOT NULL,
  state          TEXT NOT NULL CHECK (state IN ('quoted', 'void', 'in_progress', 'sent', 'requested', 'failed', 'unknown')),
  code           TEXT NOT NULL DEFAULT '',
  confirmed      BIGINT NOT NULL,
  user_asked     BIGINT NOT NULL,
  created_ms     BIGINT NOT NULL,
  deadline_ms    BIGINT NOT NULL,
  kampala_day    BIGINT NOT NULL,
  attempt_id     TEXT NOT NULL,
  duplicate_of   TEXT NOT NULL,
  balance_before BIGINT,
  confirmed_by   TEXT NOT NULL DEFAULT '',
  confirmed_how  TEXT NOT NULL DEFAULT '',
  token_id       TEXT NOT NULL DEFAULT '',
  acknowledged   BIGINT NOT NULL DEFAULT 0
);

CREATE INDEX spends_unconfirmed ON spends (account, created_ms, total)
  WHERE confirmed = 0 AND kind = 'send' AND state IN ('in_progress', 'sent', 'unknown');

CREATE INDEX spends_created ON spends (created_ms);

CREATE INDEX spends_account ON spends (account, created_ms)
  WHERE state IN ('in_progress', 'sent', 'requested', 'unknown');

CREATE INDEX spends_open ON spends (created_ms) WHERE state IN ('in_progress', 'unknown');

CREATE INDEX spends_unsettled ON spends (account, kind, created_ms) WHERE state IN ('in_progress', 'unknown', 'requested');

CREATE TABLE spend_targets (
  dedup_hash  BYTEA NOT NULL,
  target_hash BYTEA NOT NULL,
  spend       BIGINT NOT NULL,
  PRIMARY KEY (dedup_hash, target_hash, spend)
);

CREATE INDEX spend_targets_spend ON spend_targets (spend);

CREATE TABLE daily_totals (
  account     TEXT NOT NULL,
  kind        TEXT NOT NULL,
  kampala_day BIGINT NOT NULL,
  total       BIGINT NOT NULL,
  PRIMARY KEY (account, kind, kampala_day)
);

CREATE INDEX daily_totals_day ON daily_totals (kampala_day, kind, total);
