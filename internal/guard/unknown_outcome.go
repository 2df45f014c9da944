package guard

import "github.com/wesendall/wesendall-mcp/client"

// unknownOutcomeAdvice is client.UnknownOutcomeAdvice for a spend in the ledger, with the command that settles it
// where there is one: a ledger in memory ends with this process.
func (g *Guard) unknownOutcomeAdvice(tool, spendID string) string {
	text := client.UnknownOutcomeAdvice(tool)
	if l := g.opened(); l != nil && l.Persistent() {
		text += " On the server's machine, wesendall-mcp ledger reconcile shows the evidence, and a user settles it with: " +
			"wesendall-mcp ledger resolve " + spendID + " sent|failed."
	}
	return text
}
