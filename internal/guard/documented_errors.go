package guard

import (
	"context"
	"fmt"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
	"github.com/wesendall/wesendall-mcp/internal/sanitize"
)

// documentedError is the error of one of Wesendall's seven codes.
func documentedError(clientErr *client.Error) *Error {
	e := NewError(clientErr.Code, fmt.Sprintf("Wesendall refused the call (%s): %s.%s",
		clientErr.Code, trimStop(clientErr.Message), whoFixes(clientErr.Code)))
	e.Money, e.Retry = clientErr.Money, clientErr.Advice
	if clientErr.Money == client.MoneyRefunded {
		describeRefund(e, clientErr)
	}
	return e
}

// whoFixes says who can fix what a code means, as a sentence; "" if the caller can.
func whoFixes(code string) string {
	const noUse = " Do not try again: every other call will fail too until then."
	switch code {
	case client.CodeInvalidCredentials:
		return " The API key or the secret is wrong. Your user cannot fix it here: the one who set them must correct them, " +
			"and wesendall-mcp doctor checks them." + noUse
	case client.CodeKeyRevoked:
		return " The API key was revoked. The owner of the Wesendall account must make a new key in the dashboard, and the " +
			"one who set the old one must replace it." + noUse
	case client.CodeWalletForbidden:
		return " The API key does not belong to this wallet. The one who set both must correct the wallet " +
			"(WESENDALL_WALLET_ID) or the key." + noUse
	case client.CodeInsufficientBalance:
		return " Nothing was sent. Ask your user before topup_wallet: it charges a payer's phone."
	}
	return ""
}

// refundWait is how long to wait before a refunded send is repeated, where Wesendall
// does not say.
const refundWait = time.Minute

// describeRefund says what a refunded send means, and how it is repeated.
func describeRefund(e *Error, clientErr *client.Error) {
	const repeat = "It was not sent as far as the ledger counts: a repeat needs no allow_duplicate, but a quote that was " +
		"used needs a new one."
	e.Message = "The provider refused the message and Wesendall refunded it: " + trimStop(clientErr.Message) + ". "
	if clientErr.Advice == client.RetryCheckFirst {
		e.NextTool = client.ToolListSMSHistory
		e.Message += "Some of the recipients may have got it all the same: look at list_sms_history before sending again, " +
			"and send only to the others. " + repeat
		return
	}
	if clientErr.Attempts > 1 {
		e.Message += fmt.Sprintf("It was tried %d times. ", clientErr.Attempts)
	}
	wait := max(refundWait, clientErr.RetryAfter)
	e.Message += fmt.Sprintf("Wait %.0f seconds, then make the same call once more. If that fails too, tell your user. ",
		wait.Seconds()) + repeat
}

func trimStop(sentence string) string {
	for len(sentence) > 0 && (sentence[len(sentence)-1] == '.' || sentence[len(sentence)-1] == ' ') {
		sentence = sentence[:len(sentence)-1]
	}
	return sentence
}

// describeShortfall adds to insufficient_balance what the spend needs, what the wallet
// holds now and what is missing, as far as they are known.
func (g *Guard) describeShortfall(ctx context.Context, err error, c spendCall, cost spendCost, totalUGX int64) error {
	e := *toError(err)
	if e.Code != client.CodeInsufficientBalance || c.intent.Kind != ledger.KindSend {
		return err
	}
	if !cost.sizeUnknown {
		e.NeededUGX = totalUGX
	}
	if info, err := g.fetchBalance(ctx, c.walletID); err == nil {
		e.HeldUGX = &info.balanceUGX
		e.MissingUGX = max(e.NeededUGX-info.balanceUGX, 0)
	}
	e.Message = "Nothing was sent: the wallet's balance is too low (insufficient_balance). " +
		shortfall(e.NeededUGX, e.HeldUGX) + "Tell your user the figures and ask before topup_wallet: it charges a payer's phone."
	return &e
}

// shortfall is a sentence with the figures that are known; 0 and nil are not.
func shortfall(neededUGX int64, heldUGX *int64) string {
	if heldUGX == nil && neededUGX == 0 {
		return ""
	}
	if heldUGX == nil {
		return fmt.Sprintf("It takes about UGX %s. ", sanitize.FormatThousands(neededUGX))
	}
	held := sanitize.FormatThousands(*heldUGX)
	switch {
	case neededUGX == 0:
		return fmt.Sprintf("The wallet holds UGX %s, and the group's size is not known. ", held)
	case neededUGX <= *heldUGX:
		return fmt.Sprintf("It takes about UGX %s, and the wallet holds UGX %s now. ", sanitize.FormatThousands(neededUGX), held)
	}
	return fmt.Sprintf("It takes about UGX %s, the wallet holds UGX %s, and UGX %s are missing. ",
		sanitize.FormatThousands(neededUGX), held, sanitize.FormatThousands(neededUGX-*heldUGX))
}
