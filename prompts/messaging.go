package prompts

func sendSMSPrompt() Prompt {
	return Prompt{
		Name: "send_sms", Title: "Send an SMS", Description: "Draft, show the price, confirm, send",
		Arguments: []Argument{
			{Name: "recipient", Description: "Phone numbers", Required: true},
			{Name: "message", Description: "The text, or what it should say"},
		},
		Tools: []string{"get_balance", "send_sms", "list_sms_history"},
		buildData: func(v Values, budget int) any {
			return map[string]any{"Recipient": newFencedData(v["recipient"], budget/2), "Message": newFencedData(v["message"], budget/2)}
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
		Tools: []string{"get_balance", "list_groups", "send_group_sms", "list_sms_history"},
		buildData: func(v Values, budget int) any {
			return map[string]any{"Group": newFencedData(v["group"], budget/2), "Message": newFencedData(v["message"], budget/2)}
		},
	}
}

func reportPrompt() Prompt {
	return Prompt{
		Name: "wallet_report", Title: "Report on the wallet", Description: "Balance, recent sends, groups",
		Tools:     []string{"get_balance", "list_sms_history", "list_groups"},
		buildData: func(Values, int) any { return nil },
	}
}
