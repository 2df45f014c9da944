-- Money is whole UGX, times are Unix milliseconds, hashes are keyed with the
-- ledger's own key: no text and no phone number is in here. The columns are those
-- of sqlite.sql, and are described there.

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value BYTEA NOT NULL
);

CREATE TABLE spends (
  seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id         TEXT NOT NULL UNIQUE,
  account    TEXT NOT NULL,
  caller     TEXT NOT NULL,
  tool       TEXT NOT NULL,
  content    BYTEA NOT NULL,
  arguments  BYTEA NOT NULL,
  recipients BIGINT NOT NULL,
  units      BIGINT NOT NULL,
  total      BIGINT NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('quoted', 'burnt', 'in_progress', 'sent', 'failed', 'unknown')),
  confirmed  BIGINT NOT NULL,
  created    BIGINT NOT NULL,
  deadline   BIGINT NOT NULL,
  day        BIGINT NOT NULL,
  code       TEXT NOT NULL DEFAULT '',
  asked      BIGINT NOT NULL DEFAULT 0,
  attempt    TEXT NOT NULL DEFAULT '',
  repeats    TEXT NOT NULL DEFAULT ''
);

CREATE INDEX spends_unconfirmed ON spends (account, created, total)
  WHERE confirmed = 0 AND tool <> 'topup_wallet' AND state IN ('in_progress', 'sent', 'unknown');

CREATE INDEX spends_created ON spends (created);

CREATE INDEX spends_open ON spends (created) WHERE state IN ('in_progress', 'unknown');

CREATE TABLE covered (
  content BYTEA NOT NULL,
  target  BYTEA NOT NULL,
  spend   BIGINT NOT NULL,
  PRIMARY KEY (content, target, spend)
);

CREATE INDEX covered_spend ON covered (spend);

CREATE TABLE days (
  account TEXT NOT NULL,
  kind    TEXT NOT NULL,
  day     BIGINT NOT NULL,
  total   BIGINT NOT NULL,
  PRIMARY KEY (account, kind, day)
);

CREATE INDEX days_day ON days (day);
