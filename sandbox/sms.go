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
	maxMessage  = 1600 // UTF-16 code units
	unitSize    = 160  // of them in one billed unit, whatever the alphabet
	maxPerPage  = 100
	usualOnPage = 50
)

type batch struct {
	ID         string `json:"batch_id"`
	Status     string `json:"status"`
	Recipients int64  `json:"recipients"`
	Units      int64  `json:"units"` // for each recipient
	TotalCost  int64  `json:"total_cost"`
	Balance    int64  `json:"balance"`
	Messages   []sent `json:"messages"`
}

type sent struct {
	ID     string `json:"id"`
	Phone  string `json:"phone"`
	Status string `json:"status"`
}

func (s *Sandbox) send(ctx context.Context, in *input) (any, error) {
	message := in.text("message", maxMessage)
	phones := in.recipients("recipient")
	if err := in.check(); err != nil {
		return nil, err
	}
	return s.deliver(ctx, in.wallet, message, phones)
}

func (s *Sandbox) sendGroup(ctx context.Context, in *input) (any, error) {
	group, err := s.group(ctx, in)
	if err != nil {
		return nil, err
	}
	if group.ID != "" && group.ContactCount == 0 {
		in.fault("groupId", "the group has no contacts")
	}
	message := in.text("message", maxMessage)
	if err := in.check(); err != nil {
		return nil, err
	}
	phones, err := list(ctx, s.db, func(phone *string) []any { return []any{phone} },
		`SELECT phone FROM contacts WHERE group_id = ? ORDER BY seq`, group.ID)
	if err != nil {
		return nil, err
	}
	return s.deliver(ctx, in.wallet, message, phones)
}

// deliver charges the wallet, hands the messages over and writes them down, all
// or nothing. When the gateway refuses, the charge is given back before anyone
// can see it gone.
func (s *Sandbox) deliver(ctx context.Context, wallet, message string, phones []string) (any, error) {
	if slices.Contains(phones, brokenRecipient) {
		return nil, errInternal
	}
	out := batch{
		ID: s.newID("bat_"), Status: "sent", Recipients: int64(len(phones)),
		Units: (int64(utf16Len(message)) + unitSize - 1) / unitSize,
	}
	cost := out.Units * CostPerSMS
	out.TotalCost = cost * out.Recipients
	refused := slices.Contains(phones, refusedRecipient)

	err := inTx(ctx, s.db, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `UPDATE wallets SET balance = balance - ? WHERE id = ? AND balance >= ?
			RETURNING balance`, out.TotalCost, wallet, out.TotalCost).Scan(&out.Balance)
		if errors.Is(err, sql.ErrNoRows) {
			return errInsufficient
		}
		if err != nil {
			return err
		}
		if refused {
			if _, err := tx.ExecContext(ctx, `UPDATE wallets SET balance = balance + ? WHERE id = ?`,
				out.TotalCost, wallet); err != nil {
				return err
			}
			out.Status, cost = "failed", 0
		}
		return s.record(ctx, tx, &out, wallet, message, cost, phones)
	})
	switch {
	case err != nil:
		return nil, err
	case refused:
		return nil, errSendFailed
	case slices.Contains(phones, silentRecipient):
		return nil, http.ErrAbortHandler
	}
	return out, nil
}

// record writes a batch and its messages down, and lists them in out.
func (s *Sandbox) record(
	ctx context.Context, tx *sql.Tx, out *batch, wallet, message string, cost int64, phones []string,
) error {
	if _, err := tx.ExecContext(ctx, `INSERT INTO batches
		(id, wallet_id, message, status, units, cost, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		out.ID, wallet, message, out.Status, out.Units, cost, s.now().UnixMilli()); err != nil {
		return err
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO messages (id, batch_id, phone) VALUES (?, ?, ?)`)
	if err != nil {
		return err
	}
	defer func() { _ = insert.Close() }()
	for _, phone := range phones {
		one := sent{ID: s.newID("msg_"), Phone: phone, Status: out.Status}
		if _, err := insert.ExecContext(ctx, one.ID, out.ID, phone); err != nil {
			return err
		}
		out.Messages = append(out.Messages, one)
	}
	return nil
}

type page struct {
	Page       int       `json:"page"`
	PerPage    int       `json:"per_page"`
	Total      int       `json:"total"`
	TotalPages int       `json:"total_pages"`
	Messages   []message `json:"messages"`
}

type message struct {
	ID        string    `json:"id"`
	Phone     string    `json:"phone"`
	Message   string    `json:"message"`
	Status    string    `json:"status"`
	Units     int64     `json:"units"`
	Cost      int64     `json:"cost"`
	CreatedAt timestamp `json:"created_at"`
}

func (m *message) columns() []any {
	return []any{&m.ID, &m.Phone, &m.Message, &m.Status, &m.Units, &m.Cost, &m.CreatedAt}
}

// timestamp is a time in Unix milliseconds that is written as JavaScript writes it.
type timestamp int64

// MarshalText implements encoding.TextMarshaler.
func (t timestamp) MarshalText() ([]byte, error) {
	return time.UnixMilli(int64(t)).UTC().AppendFormat(nil, "2006-01-02T15:04:05.000Z"), nil
}

// history lists the newest messages first.
func (s *Sandbox) history(ctx context.Context, in *input) (any, error) {
	out := page{Page: in.whole("page", 1, 1, math.MaxInt), PerPage: in.whole("per_page", usualOnPage, 1, maxPerPage)}
	if err := in.check(); err != nil {
		return nil, err
	}
	const ofWallet = ` FROM messages m JOIN batches b ON b.id = m.batch_id WHERE b.wallet_id = ?`
	err := s.db.QueryRowContext(ctx, `SELECT count(*)`+ofWallet, in.wallet).Scan(&out.Total)
	if err != nil {
		return nil, err
	}
	out.TotalPages = (out.Total + out.PerPage - 1) / out.PerPage
	skip := min(out.Page-1, out.TotalPages) * out.PerPage // a far page must not overflow into the first
	out.Messages, err = list(ctx, s.db, (*message).columns,
		`SELECT m.id, m.phone, b.message, b.status, b.units, b.cost, b.created_at`+ofWallet+`
		ORDER BY m.seq DESC LIMIT ? OFFSET ?`, in.wallet, out.PerPage, skip)
	return out, err
}
