package client

// Wesendall's documented limits of parameters. Schemas, documents and samples read
// them from the endpoints.
const (
	// MaxMessageLength is the limit of sms/send, in UTF-16 code units. The documents
	// do not say that the limit of a group's message differs.
	MaxMessageLength = 1600

	minTopUpUGX, maxTopUpUGX = 500, 10_000_000
	maxGroupTitleLength      = 120 // UTF-16 code units
	maxPerPage               = 100
	defaultPerPage           = 50
)
