-- Money is whole UGX, times are Unix milliseconds, hashes are keyed with the
-- ledger's own key: no text and no phone number is stored.

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- A quote, and the spend that it became. A spend without a quote begins as
-- in_progress.
CREATE TABLE spends (
  seq            INTEGER PRIMARY KEY,
  id             TEXT NOT NULL UNIQUE,
  account        TEXT NOT NULL,    -- base URL and wallet
  caller         TEXT NOT NULL,
  tool           TEXT NOT NULL,
  kind           TEXT NOT NULL CHECK (kind IN ('send', 'topup')),
  dedup_hash     BLOB NOT NULL,    -- of account, tool and message: equal for duplicates
  arguments_hash BLOB NOT NULL,    -- of everything that a quote is bound to
  recipients     INTEGER NOT NULL,
  units          INTEGER NOT NULL, -- for each recipient
  total          INTEGER NOT NULL,
  state          TEXT NOT NULL CHECK (state IN ('quoted', 'void', 'in_progress', 'sent', 'requested', 'failed', 'unknown')),
  code           TEXT NOT NULL DEFAULT '',
  confirmed      INTEGER NOT NULL, -- the user agreed, or a quote counted as agreement
  user_asked     INTEGER NOT NULL, -- the user is asked about this quote, and answers with another call
  created_ms     INTEGER NOT NULL,
  deadline_ms    INTEGER NOT NULL, -- of a quote its expiry; of a call when its outcome must be here
  kampala_day    INTEGER NOT NULL,
  attempt_id     TEXT NOT NULL,    -- tells one use of a quote from another
  duplicate_of   TEXT NOT NULL,    -- what a quote says: ids of the spends that are repeated or near, and quiet_hours
  balance_before INTEGER,          -- of the wallet, where it was read
  confirmed_by   TEXT NOT NULL DEFAULT '',
  confirmed_how  TEXT NOT NULL DEFAULT '',
  token_id       TEXT NOT NULL DEFAULT '',
  acknowledged   INTEGER NOT NULL DEFAULT 0 -- a user agreed to another spend to the same target while this outcome was unknown
) STRICT;

-- For the unconfirmed sum of an hour, which is small: more than the limit needs a
-- confirmation.
CREATE INDEX spends_unconfirmed ON spends (account, created_ms, total)
  WHERE confirmed = 0 AND kind = 'send' AND state IN ('in_progress', 'sent', 'unknown');

-- For lists by time.
CREATE INDEX spends_created ON spends (created_ms);

-- For the newest spend of an account.
CREATE INDEX spends_account ON spends (account, created_ms)
  WHERE state IN ('in_progress', 'sent', 'requested', 'unknown');

-- For the totals of what is open.
CREATE INDEX spends_open ON spends (created_ms) WHERE state IN ('in_progress', 'unknown');

-- For spends near one whose outcome is not known.
CREATE INDEX spends_unsettled ON spends (account, kind, created_ms) WHERE state IN ('in_progress', 'unknown', 'requested');

-- Whom a spend reached: a number, a group or a payer.
CREATE TABLE spend_targets (
  dedup_hash  BLOB NOT NULL,
  target_hash BLOB NOT NULL,
  spend       INTEGER NOT NULL,
  PRIMARY KEY (dedup_hash, target_hash, spend)
) STRICT, WITHOUT ROWID;

CREATE INDEX spend_targets_spend ON spend_targets (spend);

-- What is spent or reserved of a day's budget.
CREATE TABLE daily_totals (
  account     TEXT NOT NULL,
  kind        TEXT NOT NULL, -- send or topup; of one caller with the caller after it
  kampala_day INTEGER NOT NULL,
  total       INTEGER NOT NULL,
  PRIMARY KEY (account, kind, kampala_day)
) STRICT, WITHOUT ROWID;

-- For the totals of one day.
CREATE INDEX daily_totals_day ON daily_totals (kampala_day, kind, total);
