package prompts

func sendSMS() Prompt {
	return Prompt{
		Name: "send_sms", Title: "Send an SMS", Description: "Draft, show the price, confirm, send",
		Arguments: []Argument{
			{Name: "recipient", Description: "Phone numbers", Required: true},
			{Name: "message", Description: "The text, or what it should say"},
		},
		Tools: []string{"get_balance", "send_sms", "list_sms_history"},
		fill: func(v Values, room int) any {
			return map[string]any{"Recipient": data(v["recipient"], room/2), "Message": data(v["message"], room/2)}
		},
	}
}

func broadcast() Prompt {
	return Prompt{
		Name: "broadcast_to_group", Title: "Text a group", Description: "Find the group, show reach and price, confirm, send",
		Arguments: []Argument{
			{Name: "group", Description: "Title or id", Required: true},
			{Name: "message", Description: "The text, or what it should say"},
		},
		Tools: []string{"get_balance", "list_groups", "send_group_sms", "list_sms_history"},
		fill: func(v Values, room int) any {
			return map[string]any{"Group": data(v["group"], room/2), "Message": data(v["message"], room/2)}
		},
	}
}

func report() Prompt {
	return Prompt{
		Name: "wallet_report", Title: "Report on the wallet", Description: "Balance, recent sends, groups",
		Tools: []string{"get_balance", "list_sms_history", "list_groups"},
		fill:  func(Values, int) any { return nil },
	}
}
