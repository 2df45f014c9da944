-- Money is whole UGX, times are Unix milliseconds, hashes are keyed with the
-- ledger's own key: no text and no phone number is in here.

CREATE TABLE IF NOT EXISTS meta (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- A quote, and the spend that it became. A spend without a quote begins as
-- in_progress.
CREATE TABLE IF NOT EXISTS spends (
  seq        INTEGER PRIMARY KEY,
  id         TEXT NOT NULL UNIQUE,
  account    TEXT NOT NULL,    -- base URL and wallet
  caller     TEXT NOT NULL,
  tool       TEXT NOT NULL,
  content    BLOB NOT NULL,    -- hash of what a duplicate shares: account, tool, message
  arguments  BLOB NOT NULL,    -- hash of everything: what a quote stands for
  recipients INTEGER NOT NULL,
  units      INTEGER NOT NULL, -- for each recipient
  total      INTEGER NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('quoted', 'burnt', 'in_progress', 'sent', 'failed', 'unknown')),
  confirmed  INTEGER NOT NULL, -- a person agreed, or a quote stood for that
  created    INTEGER NOT NULL,
  deadline   INTEGER NOT NULL, -- of a quote its expiry; of a call when its outcome must be here
  day        INTEGER NOT NULL, -- in Kampala
  code       TEXT NOT NULL DEFAULT '',
  asked      INTEGER NOT NULL DEFAULT 0, -- a person was asked about this quote, and answers with another call
  attempt    TEXT NOT NULL DEFAULT '',  -- tells one use of a quote from another
  repeats    TEXT NOT NULL DEFAULT ''   -- ids of the spends that a quote says are repeated
) STRICT;

-- For the hour's sum, which is small: more than the limit is asked about.
CREATE INDEX IF NOT EXISTS spends_unconfirmed ON spends (account, created, total)
  WHERE confirmed = 0 AND tool <> 'topup_wallet' AND state IN ('in_progress', 'sent', 'unknown');

-- For people who look at what is open.
CREATE INDEX IF NOT EXISTS spends_created ON spends (created);

-- For the sums of what is open.
CREATE INDEX IF NOT EXISTS spends_open ON spends (created) WHERE state IN ('in_progress', 'unknown');

-- Whom a spend covered: a number, a group or a payer.
CREATE TABLE IF NOT EXISTS covered (
  content BLOB NOT NULL,
  target  BLOB NOT NULL,
  spend   INTEGER NOT NULL,
  PRIMARY KEY (content, target, spend)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS covered_spend ON covered (spend);

-- What is spent or reserved of a day's budget.
CREATE TABLE IF NOT EXISTS days (
  account TEXT NOT NULL,
  kind    TEXT NOT NULL, -- send or topup
  day     INTEGER NOT NULL,
  total   INTEGER NOT NULL,
  PRIMARY KEY (account, kind, day)
) STRICT, WITHOUT ROWID;

-- For the sums of one day.
CREATE INDEX IF NOT EXISTS days_day ON days (day, kind, total);
