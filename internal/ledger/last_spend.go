package ledger

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"time"
)

// The last spend of each account is also named in a row of meta: "last " and the
// account, with the spend's id and its time. If meta has the row, and the spend, its
// targets or its day's total are gone, the tables were emptied or restored in part,
// and budgets and duplicates with them. A process that has just started notices this
// too. It costs one read and one write by primary key for each spend, in the account's
// own row, so that accounts do not wait for one another.
const lastSpendPrefix = "last "

// spendIDLength is the length of every id: 128 bits in base 32.
const spendIDLength = 26

// checkLastSpend fails if the account's last spend is no longer there.
func (l *Ledger) checkLastSpend(ctx context.Context, tx *sql.Tx, account string) error {
	var complete bool
	//nolint:gosec // the dialect is a constant
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM spends s
			JOIN daily_totals d ON d.account = s.account AND d.kind = s.kind AND d.kampala_day = s.kampala_day
			WHERE s.id = substr(`+l.metaText+`, 1, `+strconv.Itoa(spendIDLength)+`)
			AND EXISTS (SELECT 1 FROM spend_targets t WHERE t.spend = s.seq))
		FROM meta WHERE name = $1`, lastSpendPrefix+account).Scan(&complete)
	switch {
	case errors.Is(err, sql.ErrNoRows) || err == nil && complete:
		return nil
	case err != nil:
		return err
	}
	return errors.New("tables of the ledger were emptied, because the last spend of this wallet is gone: restore them, " +
		"because without them today's budget and what was sent are forgotten; " +
		"or, if that was meant, use a new file or an empty database")
}

// storeLastSpend notes a spend as the account's last.
func storeLastSpend(ctx context.Context, tx *sql.Tx, account, id string, created time.Time) error {
	value := id + " " + strconv.FormatInt(created.UnixMilli(), 10)
	_, err := tx.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, lastSpendPrefix+account, []byte(value))
	return err
}

// pruneLastSpends forgets the last spends that are old enough to be pruned. It runs
// in the transaction that prunes them, so that the row of meta never outlives its spend.
func pruneLastSpends(ctx context.Context, tx *sql.Tx, before time.Time) error {
	rows, err := tx.QueryContext(ctx, `SELECT name, value FROM meta WHERE name LIKE '`+lastSpendPrefix+`%'`)
	if err != nil {
		return err
	}
	old := map[string][]byte{}
	for rows.Next() {
		var name string
		var value []byte
		if err := rows.Scan(&name, &value); err != nil {
			return errors.Join(err, rows.Close())
		}
		_, created, _ := strings.Cut(string(value), " ")
		if millis, err := strconv.ParseInt(created, 10, 64); err == nil && millis < before.UnixMilli() {
			old[name] = value
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for name, value := range old { // unless there is a newer one by now
		if _, err := tx.ExecContext(ctx, `DELETE FROM meta WHERE name = $1 AND value = $2`, name, value); err != nil {
			return err
		}
	}
	return nil
}
