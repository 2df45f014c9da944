package sandbox

import (
	"context"
	"database/sql"
	"net/http"
	"slices"
)

const (
	maxMessageLen = 1600 // UTF-16 code units
	smsUnitSize   = 160  // UTF-16 code units in one billed unit, in any alphabet
)

type sendRequest struct {
	message string
	phones  []string
}

func readSend(_ context.Context, in *requestFields) (sendRequest, error) {
	return sendRequest{in.stringField("message", maxMessageLen), in.recipientsField("recipient")}, nil
}

func (s *Sandbox) readGroupSend(ctx context.Context, in *requestFields) (sendRequest, error) {
	group, err := s.findGroup(ctx, in)
	if err != nil {
		return sendRequest{}, err
	}
	phones, err := queryAll(ctx, s.db, func(phone *string) []any { return []any{phone} },
		`SELECT phone FROM contacts WHERE group_id = ? ORDER BY seq`, group.ID)
	if group.ID != "" && len(phones) == 0 {
		in.addProblem("groupId", "the group has no contacts")
	}
	return sendRequest{in.stringField("message", maxMessageLen), phones}, err
}

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

// batchRow is what the database stores of a batch, and its messages.
type batchRow struct {
	wallet, text string
	costEach     int64 // UGX for each recipient, 0 if refunded
	batchResponse
}

// send charges the wallet and records the batch in one transaction. If the provider rejects
// the batch, the same transaction refunds it.
func (s *Sandbox) send(ctx context.Context, wallet string, in sendRequest) (any, error) {
	if slices.Contains(in.phones, internalErrorRecipient) {
		return nil, errInternal
	}
	rejected := slices.Contains(in.phones, providerRejectedRecipient)
	batch := s.newBatch(wallet, in, rejected)
	err := withTx(ctx, s.db, func(tx *sql.Tx) error {
		var err error
		if batch.Balance, err = debit(ctx, tx, wallet, batch.TotalCost); err != nil {
			return err
		}
		if rejected {
			if err := credit(ctx, tx, wallet, batch.TotalCost); err != nil {
				return err
			}
		}
		return s.insertBatch(ctx, tx, batch)
	})
	switch {
	case err != nil:
		return nil, err
	case rejected:
		return nil, errSendFailed
	case slices.Contains(in.phones, noResponseRecipient):
		return nil, http.ErrAbortHandler
	}
	return batch.batchResponse, nil
}

func (s *Sandbox) newBatch(wallet string, in sendRequest, rejected bool) batchRow {
	units := (int64(utf16Len(in.message)) + smsUnitSize - 1) / smsUnitSize
	recipients := int64(len(in.phones))
	batch := batchRow{wallet: wallet, text: in.message, costEach: units * CostPerSMS, batchResponse: batchResponse{
		ID: s.newID("bat_"), Status: "sent", Recipients: recipients, Units: units,
		TotalCost: recipients * units * CostPerSMS,
	}}
	if rejected {
		batch.Status, batch.costEach = "failed", 0
	}
	for _, phone := range in.phones {
		batch.Messages = append(batch.Messages, sentMessage{ID: s.newID("msg_"), Phone: phone, Status: batch.Status})
	}
	return batch
}

func (s *Sandbox) insertBatch(ctx context.Context, tx *sql.Tx, b batchRow) error {
	if _, err := tx.ExecContext(ctx, `INSERT INTO batches
		(id, wallet_id, message, status, units, cost, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		b.ID, b.wallet, b.text, b.Status, b.Units, b.costEach, s.now().UnixMilli()); err != nil {
		return err
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO messages (id, batch_id, phone) VALUES (?, ?, ?)`)
	if err != nil {
		return err
	}
	defer func() { _ = insert.Close() }()
	for _, message := range b.Messages {
		if _, err := insert.ExecContext(ctx, message.ID, b.ID, message.Phone); err != nil {
			return err
		}
	}
	return nil
}
