package sandbox

// Magic values cause failures that are hard to get otherwise. The reference's section
// "testing" lists them.
const (
	revokedKey = "sk_test_revoked" // key_revoked, with any secret

	internalErrorRecipient    = "+256700000500" // internal_error, nothing is charged
	providerRejectedRecipient = "+256700000502" // send_failed, charged and refunded
	noResponseRecipient       = "+256700000408" // charged and sent, then the connection drops

	decliningPayer    = "+256700000001"
	unresponsivePayer = "+256700000002" // neither approves nor declines
)
