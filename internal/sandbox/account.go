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

func (s *Sandbox) balance(ctx context.Context, wallet string, _ struct{}) (any, error) {
	out := balanceResponse{WalletID: wallet, Currency: "UGX", CostPerSMS: CostPerSMS}
	err := s.db.QueryRowContext(ctx, `SELECT balance FROM wallets WHERE id = ?`, wallet).Scan(&out.Balance)
	return out, err
}

// debit takes amount UGX from a wallet and returns its new balance. It fails with
// errInsufficient if the wallet holds less.
func debit(ctx context.Context, tx *sql.Tx, wallet string, amount int64) (balance int64, err error) {
	err = tx.QueryRowContext(ctx, `UPDATE wallets SET balance = balance - ? WHERE id = ? AND balance >= ?
		RETURNING balance`, amount, wallet, amount).Scan(&balance)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, errInsufficient
	}
	return balance, err
}

// credit adds amount UGX to a wallet.
func credit(ctx context.Context, tx *sql.Tx, wallet string, amount int64) error {
	_, err := tx.ExecContext(ctx, `UPDATE wallets SET balance = balance + ? WHERE id = ?`, amount, wallet)
	return err
}

type topUpRequest struct {
	amount             int64
	payer, description string
}

func readTopUp(_ context.Context, in *requestFields) (topUpRequest, error) {
	return topUpRequest{
		amount:      in.amountField("amount", 500, 10_000_000),
		payer:       in.phoneField("phone_number", normalizeUgandan), // Mobile Money is Ugandan
		description: in.optionalString("description"),
	}, nil
}

type depositResponse struct {
	ID          string `json:"deposit_id"`
	Status      string `json:"status"`
	Amount      int64  `json:"amount"`
	PhoneNumber string `json:"phone_number"`
}

// topUp records a pending deposit with the payer's answer and its time, so that the answer
// also comes if the database is closed in between.
func (s *Sandbox) topUp(ctx context.Context, wallet string, in topUpRequest) (any, error) {
	answer := "completed"
	if in.payer == decliningPayer {
		answer = "failed"
	}
	answersAt := sql.NullInt64{Int64: s.now().Add(s.approveAfter).UnixMilli(), Valid: in.payer != unresponsivePayer}
	out := depositResponse{ID: s.newID("dep_"), Status: "pending", Amount: in.amount, PhoneNumber: in.payer}
	_, err := s.db.ExecContext(ctx, `INSERT INTO deposits
		(id, wallet_id, amount, phone, description, answer, answers_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		out.ID, wallet, in.amount, in.payer, in.description, answer, answersAt)
	return out, err
}

// settleDueDeposits settles every deposit that the payer has answered by now. It runs before
// every call, which callers cannot tell from settling in time, and needs no timer.
func (s *Sandbox) settleDueDeposits(ctx context.Context) error {
	due, err := queryAll(ctx, s.db, func(id *string) []any { return []any{id} },
		`SELECT id FROM deposits WHERE status = 'pending' AND answers_at <= ? ORDER BY answers_at`,
		s.now().UnixMilli())
	for _, id := range due {
		err = errors.Join(err, s.settleDeposit(ctx, id))
	}
	return err
}

// settleDeposit gives a deposit its payer's answer. It credits the wallet only if it moves the
// deposit out of pending, so a deposit is credited once, also from several processes.
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
		return credit(ctx, tx, wallet, amount)
	})
	if err != nil {
		return fmt.Errorf("deposit %s: %w", id, err)
	}
	return nil
}
