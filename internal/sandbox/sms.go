package sandbox

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"net/http"
	"slices"
	"time"
)

const (
	maxMessageLen  = 1600 // UTF-16 code units
	smsUnitSize    = 160  // of them in one billed unit, whatever the alphabet
	maxPerPage     = 100
	defaultPerPage = 50
)

type batchResponse struct {
	ID         string        `json:"batch_id"`
	Status     string        `json:"status"`
	Recipients int64         `json:"recipients"`
	Units      int64         `json:"units"` // for each recipient
	TotalCost  int64         `json:"total_cost"`
	Balance    int64         `json:"balance"`
	Messages   []sentMessage `json:"messages"`
}

type sentMessage struct {
	ID     string `json:"id"`
	Phone  string `json:"phone"`
	Status string `json:"status"`
}

func (s *Sandbox) send(ctx context.Context, in *requestFields) (any, error) {
	message := in.stringField("message", maxMessageLen)
	phones := in.recipientsField("recipient")
	if err := in.validate(); err != nil {
		return nil, err
	}
	return s.chargeAndSend(ctx, in.wallet, message, phones)
}

func (s *Sandbox) sendGroup(ctx context.Context, in *requestFields) (any, error) {
	group, err := s.findGroup(ctx, in)
	if err != nil {
		return nil, err
	}
	if group.ID != "" && group.ContactCount == 0 {
		in.addProblem("groupId", "the group has no contacts")
	}
	message := in.stringField("message", maxMessageLen)
	if err := in.validate(); err != nil {
		return nil, err
	}
	phones, err := queryAll(ctx, s.db, func(phone *string) []any { return []any{phone} },
		`SELECT phone FROM contacts WHERE group_id = ? ORDER BY seq`, group.ID)
	if err != nil {
		return nil, err
	}
	return s.chargeAndSend(ctx, in.wallet, message, phones)
}

// chargeAndSend charges the wallet, hands the messages over and writes them down, all
// or nothing. When the gateway refuses, the charge is given back before anyone
// can see it gone.
func (s *Sandbox) chargeAndSend(ctx context.Context, wallet, message string, phones []string) (any, error) {
	if slices.Contains(phones, internalErrorRecipient) {
		return nil, errInternal
	}
	out := batchResponse{
		ID: s.newID("bat_"), Status: "sent", Recipients: int64(len(phones)),
		Units: (int64(utf16Len(message)) + smsUnitSize - 1) / smsUnitSize,
	}
	cost := out.Units * CostPerSMS
	out.TotalCost = cost * out.Recipients
	rejected := slices.Contains(phones, providerRejectedRecipient)

	err := withTx(ctx, s.db, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `UPDATE wallets SET balance = balance - ? WHERE id = ? AND balance >= ?
			RETURNING balance`, out.TotalCost, wallet, out.TotalCost).Scan(&out.Balance)
		if errors.Is(err, sql.ErrNoRows) {
			return errInsufficient
		}
		if err != nil {
			return err
		}
		if rejected {
			if _, err := tx.ExecContext(ctx, `UPDATE wallets SET balance = balance + ? WHERE id = ?`,
				out.TotalCost, wallet); err != nil {
				return err
			}
			out.Status, cost = "failed", 0
		}
		return s.insertBatch(ctx, tx, &out, wallet, message, cost, phones)
	})
	switch {
	case err != nil:
		return nil, err
	case rejected:
		return nil, errSendFailed
	case slices.Contains(phones, noResponseRecipient):
		return nil, http.ErrAbortHandler
	}
	return out, nil
}

// insertBatch writes a batch and its messages down, and lists them in out.
func (s *Sandbox) insertBatch(
	ctx context.Context, tx *sql.Tx, out *batchResponse, wallet, text string, cost int64, phones []string,
) error {
	if _, err := tx.ExecContext(ctx, `INSERT INTO batches
		(id, wallet_id, message, status, units, cost, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		out.ID, wallet, text, out.Status, out.Units, cost, s.now().UnixMilli()); err != nil {
		return err
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO messages (id, batch_id, phone) VALUES (?, ?, ?)`)
	if err != nil {
		return err
	}
	defer func() { _ = insert.Close() }()
	for _, phone := range phones {
		message := sentMessage{ID: s.newID("msg_"), Phone: phone, Status: out.Status}
		if _, err := insert.ExecContext(ctx, message.ID, out.ID, phone); err != nil {
			return err
		}
		out.Messages = append(out.Messages, message)
	}
	return nil
}

type historyResponse struct {
	Page       int              `json:"page"`
	PerPage    int              `json:"per_page"`
	Total      int              `json:"total"`
	TotalPages int              `json:"total_pages"`
	Messages   []historyMessage `json:"messages"`
}

type historyMessage struct {
	ID        string    `json:"id"`
	Phone     string    `json:"phone"`
	Message   string    `json:"message"`
	Status    string    `json:"status"`
	Units     int64     `json:"units"`
	Cost      int64     `json:"cost"`
	CreatedAt timestamp `json:"created_at"`
}

func (m *historyMessage) scanDest() []any {
	return []any{&m.ID, &m.Phone, &m.Message, &m.Status, &m.Units, &m.Cost, &m.CreatedAt}
}

// timestamp is a time in Unix milliseconds that is written as JavaScript writes it.
type timestamp int64

// MarshalText implements encoding.TextMarshaler.
func (t timestamp) MarshalText() ([]byte, error) {
	return time.UnixMilli(int64(t)).UTC().AppendFormat(nil, "2006-01-02T15:04:05.000Z"), nil
}

// history lists the newest messages first.
func (s *Sandbox) history(ctx context.Context, in *requestFields) (any, error) {
	out := historyResponse{Page: in.intField("page", 1, 1, math.MaxInt), PerPage: in.intField("per_page", defaultPerPage, 1, maxPerPage)}
	if err := in.validate(); err != nil {
		return nil, err
	}
	const ofWallet = ` FROM messages m JOIN batches b ON b.id = m.batch_id WHERE b.wallet_id = ?`
	err := s.db.QueryRowContext(ctx, `SELECT count(*)`+ofWallet, in.wallet).Scan(&out.Total)
	if err != nil {
		return nil, err
	}
	out.TotalPages = (out.Total + out.PerPage - 1) / out.PerPage
	skip := min(out.Page-1, out.TotalPages) * out.PerPage // a far page must not overflow into the first
	out.Messages, err = queryAll(ctx, s.db, (*historyMessage).scanDest,
		`SELECT m.id, m.phone, b.message, b.status, b.units, b.cost, b.created_at`+ofWallet+`
		ORDER BY m.seq DESC LIMIT ? OFFSET ?`, in.wallet, out.PerPage, skip)
	return out, err
}
