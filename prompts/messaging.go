package prompts

import "github.com/wesendall/wesendall-mcp/client"

func sendSMSPrompt() Prompt {
	return Prompt{
		Name: client.ToolSendSMS, Title: "Send an SMS", Description: "Draft, show the price, confirm, send",
		Arguments: []Argument{
			{Name: "recipient", Description: "Phone numbers", Required: true},
			{Name: "message", Description: "The text, or what it should say"},
		},
		Tools: []string{client.ToolGetBalance, client.ToolSendSMS, client.ToolListSMSHistory},
		buildData: func(v Values, budget int) any {
			return map[string]any{"Recipient": newFencedData(v["recipient"], budget/2),
				"Message": newFencedData(v["message"], budget/2)}
		},
	}
}

func broadcastPrompt() Prompt {
	return Prompt{
		Name: "broadcast_to_group", Title: "Text a group", Description: "Find the group, show reach and price, confirm, send",
		Arguments: []Argument{
			{Name: "group", Description: "Title or id", Required: true},
			{Name: "message", Description: "The text, or what it should say"},
		},
		Tools: []string{client.ToolGetBalance, client.ToolListGroups, client.ToolSendGroupSMS, client.ToolListSMSHistory},
		buildData: func(v Values, budget int) any {
			return map[string]any{"Group": newFencedData(v["group"], budget/2), "Message": newFencedData(v["message"], budget/2)}
		},
	}
}

func reportPrompt() Prompt {
	return Prompt{
		Name: "wallet_report", Title: "Report on the wallet", Description: "Balance, recent sends, groups",
		Tools:     []string{client.ToolGetBalance, client.ToolListSMSHistory, client.ToolListGroups},
		buildData: func(Values, int) any { return nil },
	}
}
