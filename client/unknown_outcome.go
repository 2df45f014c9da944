package client

// UnknownOutcomeAdvice says what to do about a send or a top-up whose outcome is unknown. Results,
// refusals and documents show this text, so that all of them say the same.
func UnknownOutcomeAdvice(endpoint string) string {
	if endpoint == ToolTopUpWallet {
		return "Do not ask the payer again. Wait a minute, then look at " + ToolGetBalance + ", have the payer say what the " +
			"phone shows, and tell your user both: an unchanged balance proves nothing yet. Then your user decides: " +
			"it arrived (settle it as sent), or it did not (settle it as failed, or ask once more with allow_duplicate, " +
			"which says that the payer may still pay the first)."
	}
	return "Do not send again. Wait a minute, then look at " + ToolListSMSHistory + " and " + ToolGetBalance + ", and tell " +
		"your user what they show: an empty history proves nothing yet. Then your user decides: it arrived (settle it as " +
		"sent), or it did not (settle it as failed, or send once more with allow_duplicate, which says that the first may " +
		"still arrive)."
}

// TopUpPending says how long an accepted top-up can take, what to do until then, and
// when a second request is right.
const TopUpPending = "Mobile Money asks the payer on the phone, and the wallet is credited once they approve: mostly within a " +
	"few minutes, but no time is documented. Until " + ToolGetBalance + " shows it, tell your user that the payment is open, " +
	"and have the payer look at the phone. A second request is safe only when the payer says that the first was declined " +
	"or has expired, and their Mobile Money statement shows no payment; soon after the first it needs allow_duplicate."
