package client

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
)

// SendRequest is one message to one or many numbers.
type SendRequest struct {
	WalletID string `json:"walletId"`
	// Message has 1 to MaxMessageLength UTF-16 code units. Every UnitSize begun are
	// one billed unit.
	Message   string     `json:"message"`
	Recipient Recipients `json:"recipient"`
}

// Recipients are phone numbers. In JSON they are a string or an array of strings.
// A string may be a list, which Wesendall splits at commas and spaces.
type Recipients []string

// UnmarshalJSON reads a string or an array of strings.
func (r *Recipients) UnmarshalJSON(data []byte) error {
	var single string
	if json.Unmarshal(data, &single) == nil {
		*r = Recipients{single}
		return nil
	}
	var many []string
	if json.Unmarshal(data, &many) != nil {
		return errors.New("must be a string or an array of strings")
	}
	*r = many
	return nil
}

// MarshalJSON writes one recipient as a string and several as an array.
func (r Recipients) MarshalJSON() ([]byte, error) {
	if len(r) == 1 {
		return json.Marshal(r[0])
	}
	return json.Marshal([]string(r))
}

// isSingle reports whether exactly one number is meant.
func (r Recipients) isSingle() bool {
	return len(r) == 1 && !strings.ContainsAny(strings.TrimSpace(r[0]), ",; \t\r\n\v\f\u00a0")
}

// Send sends one message. The wallet is charged for each unit and recipient.
func (c *Client) Send(ctx context.Context, r SendRequest) (*Response, error) {
	return c.do(ctx, endpointSendSMS, r, r.Recipient.isSingle())
}

// SendGroupRequest is one message to everyone in a saved group.
type SendGroupRequest struct {
	WalletID string `json:"walletId"`
	GroupID  string `json:"groupId"`
	Message  string `json:"message"`
}

// SendGroup sends one message to every contact of a group.
func (c *Client) SendGroup(ctx context.Context, r SendGroupRequest) (*Response, error) {
	return c.do(ctx, endpointSendGroupSMS, r, false)
}

// HistoryRequest asks for one page of the messages that were sent.
type HistoryRequest struct {
	WalletID string `json:"walletId"`
	Page     int64  `json:"page,omitempty"`     // from 1, the default
	PerPage  int64  `json:"per_page,omitempty"` // 1 to 100, 50 by default
}

// History lists the messages that the wallet has sent.
func (c *Client) History(ctx context.Context, r HistoryRequest) (*Response, error) {
	return c.do(ctx, endpointListSMSHistory, r, false)
}
