package client

import "context"

// GroupsRequest asks for a wallet's groups.
type GroupsRequest struct {
	WalletID string `json:"walletId"`
}

// Groups lists the contact groups of a wallet, with how many contacts each has.
func (c *Client) Groups(ctx context.Context, r GroupsRequest) (*Response, error) {
	return c.do(ctx, endpointListGroups, r, false)
}

// CreateGroupRequest describes a new group.
type CreateGroupRequest struct {
	WalletID    string `json:"walletId"`
	Title       string `json:"title"` // 1 to 120 UTF-16 code units
	Description string `json:"description,omitempty"`
}

// CreateGroup creates an empty group. Called twice, it creates two.
func (c *Client) CreateGroup(ctx context.Context, r CreateGroupRequest) (*Response, error) {
	return c.do(ctx, endpointCreateGroup, r, false)
}

// AddContactsRequest names the contacts to add to a group.
type AddContactsRequest struct {
	GroupID  string    `json:"groupId"`
	WalletID string    `json:"walletId"`
	Contacts []Contact `json:"contacts"`
}

// Contact is one entry of a group.
type Contact struct {
	Phone string `json:"phone"`
	Name  string `json:"name,omitempty"`
}

// AddContacts adds contacts to a group. Numbers that are already in it are
// skipped, so the call can be repeated.
func (c *Client) AddContacts(ctx context.Context, r AddContactsRequest) (*Response, error) {
	return c.do(ctx, endpointAddContacts, r, false)
}
