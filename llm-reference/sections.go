package reference

import "github.com/wesendall/wesendall-mcp/client"

// Section is one part of the document. It can be read without the others.
type Section struct {
	Name        string // in its address and on the command line
	Title       string
	Description string  // of the content, to choose by
	Priority    float64 // 0 to 1, as in MCP's annotations
	Text        string  // Markdown
}

// URI returns the section's address.
func (s Section) URI() string { return SectionURI(s.Name) }

// SectionURI returns the address of the section with this name.
func SectionURI(name string) string { return ReferenceURI + "/" + name }

// sectionList returns the sections in their order, without text.
func sectionList() []Section {
	sections := []Section{
		{Name: "overview", Title: "Overview and quickstart", Priority: 1,
			Description: "What Wesendall is; the first SMS in five steps"},
		{Name: "authentication", Title: "Authentication", Priority: 1,
			Description: "Key, secret, wallet: where each goes, what is secret"},
		{Name: "wallet", Title: "Wallet and top-ups", Priority: 0.6,
			Description: "Charges, refunds, Mobile Money top-ups"},
	}
	titles := map[string]string{
		client.ToolGetBalance: "Get the balance", client.ToolTopUpWallet: "Top the wallet up", client.ToolSendSMS: "Send SMS",
		client.ToolSendGroupSMS: "Send SMS to a group", client.ToolListSMSHistory: "List the SMS history",
		client.ToolListGroups: "List the groups", client.ToolCreateGroup: "Create a group",
		client.ToolAddContacts: "Add contacts to a group",
	}
	for _, e := range client.Endpoints() {
		sections = append(sections, Section{
			Name: e.Name, Title: titles[e.Name], Priority: 0.5,
			Description: e.Method + " " + e.Path,
		})
	}
	return append(sections, []Section{
		{Name: "errors", Title: "Errors and retries", Priority: 0.9,
			Description: "The codes, the money, when to repeat a call"},
		{Name: "phone-numbers", Title: "Phone numbers", Priority: 0.6,
			Description: "Accepted forms; how to normalise"},
		{Name: "units-and-price", Title: "Units and price", Priority: 0.6,
			Description: "How a message is counted and charged"},
		{Name: "testing", Title: "Testing without money", Priority: 0.8,
			Description: "The sandbox and its magic values"},
		{Name: "not-documented", Title: "What is not documented", Priority: 0.7,
			Description: "What never to build on"},
	}...)
}

// endpointPage is the data of the template endpoint.md.
type endpointPage struct {
	client.Endpoint
	Title string
	Notes string // the endpoint's own file: what the catalogue does not have
}

// renderSections returns the sections with their text.
func renderSections() []Section {
	sections, templates := sectionList(), parseTemplates("sections/*")
	for i, s := range sections {
		data, name := any(nil), s.Name
		if e, ok := client.FindEndpoint(s.Name); ok {
			data, name = endpointPage{e, s.Title, mustExecute(templates, s.Name+".md", nil)}, "endpoint"
		}
		sections[i].Text = mustExecute(templates, name+".md", data)
	}
	return sections
}
