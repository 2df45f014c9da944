package sandbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

type balanceResponse struct {
	WalletID   string `json:"wallet_id"`
	Balance    int64  `json:"balance"`
	Currency   string `json:"currency"`
	CostPerSMS int64  `json:"cost_per_sms"`
}

func (s *Sandbox) balance(ctx context.Context, in *requestFields) (any, error) {
	if err := in.validate(); err != nil {
		return nil, err
	}
	out := balanceResponse{WalletID: in.wallet, Currency: "UGX", CostPerSMS: CostPerSMS}
	err := s.db.QueryRowContext(ctx, `SELECT balance FROM wallets WHERE id = ?`, in.wallet).Scan(&out.Balance)
	return out, err
}

type depositResponse struct {
	ID          string `json:"deposit_id"`
	Status      string `json:"status"`
	Amount      int64  `json:"amount"`
	PhoneNumber string `json:"phone_number"`
}

// topUp asks the payer. What the payer will say, and when, is settled now and
// written down, so that it also comes true in a database that was closed
// meanwhile.
func (s *Sandbox) topUp(ctx context.Context, in *requestFields) (any, error) {
	amount := in.amountField("amount", 500, 10_000_000)
	payer := in.phoneField("phone_number", normalizeUgandan) // Mobile Money is Ugandan
	description := in.optionalString("description")
	if err := in.validate(); err != nil {
		return nil, err
	}
	payerAnswer := "completed"
	answersAt := sql.NullInt64{Int64: s.now().Add(s.approveAfter).UnixMilli(), Valid: payer != unresponsivePayer}
	if payer == decliningPayer {
		payerAnswer = "failed"
	}
	out := depositResponse{ID: s.newID("dep_"), Status: "pending", Amount: amount, PhoneNumber: payer}
	_, err := s.db.ExecContext(ctx, `INSERT INTO deposits
		(id, wallet_id, amount, phone, description, answer, answers_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		out.ID, in.wallet, amount, payer, description, payerAnswer, answersAt)
	return out, err
}

// settleDueDeposits lets every payer answer whose time has come. It precedes every call,
// so that no caller can tell it from payers who answer by themselves, and
// leaves no timer to run against a closed database.
func (s *Sandbox) settleDueDeposits(ctx context.Context) error {
	due, err := queryAll(ctx, s.db, func(id *string) []any { return []any{id} },
		`SELECT id FROM deposits WHERE status = 'pending' AND answers_at <= ? ORDER BY answers_at`,
		s.now().UnixMilli())
	for _, id := range due {
		err = errors.Join(err, s.settleDeposit(ctx, id))
	}
	return err
}

// settleDeposit gives a pending deposit its payer's answer. Only the caller that moved
// it out of pending credits the wallet: it is credited once however often, and
// from however many processes, this is called.
func (s *Sandbox) settleDeposit(ctx context.Context, id string) error {
	err := withTx(ctx, s.db, func(tx *sql.Tx) error {
		var wallet, status string
		var amount int64
		err := tx.QueryRowContext(ctx, `UPDATE deposits SET status = answer WHERE id = ? AND status = 'pending'
			RETURNING wallet_id, status, amount`, id).Scan(&wallet, &status, &amount)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil || status != "completed" {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE wallets SET balance = balance + ? WHERE id = ?`, amount, wallet)
		return err
	})
	if err != nil {
		return fmt.Errorf("deposit %s: %w", id, err)
	}
	return nil
}
