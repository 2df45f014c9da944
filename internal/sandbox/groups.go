package sandbox

import (
	"context"
	"database/sql"
)

const maxTitleLen = 120 // UTF-16 code units

type groupResponse struct {
	ID           string `json:"id"`
	Title        string `json:"title"`
	Description  string `json:"description"`
	ContactCount int64  `json:"contact_count"`
}

func (g *groupResponse) scanDest() []any {
	return []any{&g.ID, &g.Title, &g.Description, &g.ContactCount}
}

const selectGroups = `SELECT id, title, description, (SELECT count(*) FROM contacts c WHERE c.group_id = g.id)
	FROM contact_groups g WHERE wallet_id = ?`

// findGroup reads groupId, which must name a group of the caller's wallet. It looks nothing up
// in another wallet, so that the caller learns nothing about it.
func (s *Sandbox) findGroup(ctx context.Context, in *requestFields) (groupResponse, error) {
	id := in.stringField("groupId", noLimit)
	if id == "" || in.wallet != in.ownWallet {
		return groupResponse{}, nil
	}
	matches, err := queryAll(ctx, s.db, (*groupResponse).scanDest, selectGroups+` AND id = ?`, in.wallet, id)
	if err != nil {
		return groupResponse{}, err
	}
	if len(matches) == 0 {
		in.addProblem("groupId", "no such group")
		return groupResponse{}, nil
	}
	return matches[0], nil
}

func (s *Sandbox) groups(ctx context.Context, wallet string, _ struct{}) (any, error) {
	groups, err := queryAll(ctx, s.db, (*groupResponse).scanDest, selectGroups+` ORDER BY seq`, wallet)
	return map[string]any{"groups": groups}, err
}

type newGroupRequest struct{ title, description string }

func readNewGroup(_ context.Context, in *requestFields) (newGroupRequest, error) {
	return newGroupRequest{in.stringField("title", maxTitleLen), in.optionalString("description")}, nil
}

func (s *Sandbox) createGroup(ctx context.Context, wallet string, in newGroupRequest) (any, error) {
	out := groupResponse{ID: s.newID("grp_"), Title: in.title, Description: in.description}
	_, err := s.db.ExecContext(ctx, `INSERT INTO contact_groups (id, wallet_id, title, description) VALUES (?, ?, ?, ?)`,
		out.ID, wallet, in.title, in.description)
	return out, err
}

type newContactsRequest struct {
	groupID  string
	contacts []contact
}

func (s *Sandbox) readNewContacts(ctx context.Context, in *requestFields) (newContactsRequest, error) {
	group, err := s.findGroup(ctx, in)
	return newContactsRequest{group.ID, in.contactsField("contacts")}, err
}

type addContactsResponse struct {
	GroupID      string `json:"group_id"`
	Added        int64  `json:"added"`
	Skipped      int64  `json:"skipped"`
	ContactCount int64  `json:"contact_count"`
}

// addContacts adds the contacts whose numbers are not in the group yet.
func (s *Sandbox) addContacts(ctx context.Context, _ string, in newContactsRequest) (any, error) {
	out := addContactsResponse{GroupID: in.groupID}
	err := withTx(ctx, s.db, func(tx *sql.Tx) error {
		insert, err := tx.PrepareContext(ctx, `INSERT INTO contacts (group_id, phone, name) VALUES (?, ?, ?)
			ON CONFLICT (group_id, phone) DO NOTHING`)
		if err != nil {
			return err
		}
		defer func() { _ = insert.Close() }()
		for _, c := range in.contacts {
			result, err := insert.ExecContext(ctx, in.groupID, c.phone, c.name)
			if err != nil {
				return err
			}
			added, err := result.RowsAffected()
			if err != nil {
				return err
			}
			out.Added += added
		}
		return tx.QueryRowContext(ctx, `SELECT count(*) FROM contacts WHERE group_id = ?`, in.groupID).
			Scan(&out.ContactCount)
	})
	out.Skipped = int64(len(in.contacts)) - out.Added
	return out, err
}
