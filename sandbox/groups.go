package sandbox

import (
	"context"
	"database/sql"
)

const maxTitle = 120 // UTF-16 code units

type group struct {
	ID           string `json:"id"`
	Title        string `json:"title"`
	Description  string `json:"description"`
	ContactCount int64  `json:"contact_count"`
}

func (g *group) columns() []any { return []any{&g.ID, &g.Title, &g.Description, &g.ContactCount} }

const selectGroups = `SELECT id, title, description, (SELECT count(*) FROM contacts c WHERE c.group_id = g.id)
	FROM contact_groups g WHERE wallet_id = ?`

// group reads groupId, which must name a group of the wallet. In a wallet that
// is not the caller's nothing is looked up: the caller must not learn of it.
func (s *Sandbox) group(ctx context.Context, in *input) (group, error) {
	id := in.text("groupId", unlimited)
	if id == "" || in.wallet != in.own {
		return group{}, nil
	}
	found, err := list(ctx, s.db, (*group).columns, selectGroups+` AND id = ?`, in.wallet, id)
	if err != nil {
		return group{}, err
	}
	if len(found) == 0 {
		in.fault("groupId", "no such group")
		return group{}, nil
	}
	return found[0], nil
}

func (s *Sandbox) groups(ctx context.Context, in *input) (any, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	groups, err := list(ctx, s.db, (*group).columns, selectGroups+` ORDER BY seq`, in.wallet)
	return map[string]any{"groups": groups}, err
}

func (s *Sandbox) createGroup(ctx context.Context, in *input) (any, error) {
	out := group{Title: in.text("title", maxTitle), Description: in.optional("description")}
	if err := in.check(); err != nil {
		return nil, err
	}
	out.ID = s.newID("grp_")
	_, err := s.db.ExecContext(ctx, `INSERT INTO contact_groups (id, wallet_id, title, description) VALUES (?, ?, ?, ?)`,
		out.ID, in.wallet, out.Title, out.Description)
	return out, err
}

type additions struct {
	GroupID      string `json:"group_id"`
	Added        int64  `json:"added"`
	Skipped      int64  `json:"skipped"`
	ContactCount int64  `json:"contact_count"`
}

// addContacts adds the contacts whose numbers the group does not have yet.
func (s *Sandbox) addContacts(ctx context.Context, in *input) (any, error) {
	group, err := s.group(ctx, in)
	if err != nil {
		return nil, err
	}
	contacts := in.contacts("contacts")
	if err := in.check(); err != nil {
		return nil, err
	}
	out := additions{GroupID: group.ID}
	err = inTx(ctx, s.db, func(tx *sql.Tx) error {
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
