package sandbox

import (
	"context"
	"math"
	"time"
)

const (
	maxPerPage     = 100
	defaultPerPage = 50
)

type pageRequest struct{ page, perPage int }

func readPage(_ context.Context, in *requestFields) (pageRequest, error) {
	return pageRequest{
		page:    in.intField("page", 1, 1, math.MaxInt),
		perPage: in.intField("per_page", defaultPerPage, 1, maxPerPage),
	}, nil
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

// timestamp is a time in Unix milliseconds, written as JavaScript's toISOString does.
type timestamp int64

// MarshalText implements [encoding.TextMarshaler].
func (t timestamp) MarshalText() ([]byte, error) {
	return time.UnixMilli(int64(t)).UTC().AppendFormat(nil, "2006-01-02T15:04:05.000Z"), nil
}

// history lists messages, the newest first.
func (s *Sandbox) history(ctx context.Context, wallet string, in pageRequest) (any, error) {
	const ofWallet = ` FROM messages m JOIN batches b ON b.id = m.batch_id WHERE b.wallet_id = ?`
	out := historyResponse{Page: in.page, PerPage: in.perPage}
	err := s.db.QueryRowContext(ctx, `SELECT count(*)`+ofWallet, wallet).Scan(&out.Total)
	if err != nil {
		return nil, err
	}
	out.TotalPages = (out.Total + in.perPage - 1) / in.perPage
	offset := min(in.page-1, out.TotalPages) * in.perPage // the product must not overflow
	out.Messages, err = queryAll(ctx, s.db, (*historyMessage).scanDest,
		`SELECT m.id, m.phone, b.message, b.status, b.units, b.cost, b.created_at`+ofWallet+`
		ORDER BY m.seq DESC LIMIT ? OFFSET ?`, wallet, in.perPage, offset)
	return out, err
}
