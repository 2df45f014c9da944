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

// findGroup reads groupId, which must name a group of the wallet. In a wallet that
// is not the caller's nothing is looked up: the caller must not learn of it.
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

func (s *Sandbox) groups(ctx context.Context, in *requestFields) (any, error) {
	if err := in.validate(); err != nil {
		return nil, err
	}
	groups, err := queryAll(ctx, s.db, (*groupResponse).scanDest, selectGroups+` ORDER BY seq`, in.wallet)
	return map[string]any{"groups": groups}, err
}

func (s *Sandbox) createGroup(ctx context.Context, in *requestFields) (any, error) {
	out := groupResponse{Title: in.stringField("title", maxTitleLen), Description: in.optionalString("description")}
	if err := in.validate(); err != nil {
		return nil, err
	}
	out.ID = s.newID("grp_")
	_, err := s.db.ExecContext(ctx, `INSERT INTO contact_groups (id, wallet_id, title, description) VALUES (?, ?, ?, ?)`,
		out.ID, in.wallet, out.Title, out.Description)
	return out, err
}

type addContactsResponse struct {
	GroupID      string `json:"group_id"`
	Added        int64  `json:"added"`
	Skipped      int64  `json:"skipped"`
	ContactCount int64  `json:"contact_count"`
}

// addContacts adds the contacts whose numbers the group does not have yet.
func (s *Sandbox) addContacts(ctx context.Context, in *requestFields) (any, error) {
	group, err := s.findGroup(ctx, in)
	if err != nil {
		return nil, err
	}
	contacts := in.contactsField("contacts")
	if err := in.validate(); err != nil {
		return nil, err
	}
	out := addContactsResponse{GroupID: group.ID}
	err = withTx(ctx, s.db, func(tx *sql.Tx) error {
		insert, err := tx.PrepareContext(ctx, `INSERT INTO contacts (group_id, phone, name) VALUES (?, ?, ?)
			ON CONFLICT (group_id, phone) DO NOTHING`)
		if err != nil {
			return err
		}
		defer func() { _ = insert.Close() }()
		for _, c := range contacts {
			result, err := insert.ExecContext(ctx, group.ID, c.phone, c.name)
			if err != nil {
				return err
			}
			added, err := result.RowsAffected()
			if err != nil {
				return err
			}
			out.Added += added
		}
		return tx.QueryRowContext(ctx, `SELECT count(*) FROM contacts WHERE group_id = ?`, group.ID).
			Scan(&out.ContactCount)
	})
	out.Skipped = int64(len(contacts)) - out.Added
	return out, err
}
