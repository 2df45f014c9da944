package sandbox

import "net/http"

// apiError is the error of a response.
type apiError struct {
	status  int
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (e *apiError) Error() string { return e.Code + ": " + e.Message }

// withMessage returns a copy of e with another message.
func (e *apiError) withMessage(message string) *apiError { return &apiError{e.status, e.Code, message} }

// The seven codes that Wesendall documents.
var (
	errCredentials = &apiError{http.StatusUnauthorized, "invalid_credentials",
		"The API key or secret is wrong."}
	errRevoked = &apiError{http.StatusUnauthorized, "key_revoked",
		"The API key has been revoked."}
	errWalletForbidden = &apiError{http.StatusForbidden, "wallet_forbidden",
		"The wallet does not belong to this API key."}
	errInsufficient = &apiError{http.StatusPaymentRequired, "insufficient_balance",
		"The wallet holds less than this costs."}
	errValidation = &apiError{http.StatusUnprocessableEntity, "validation_failed",
		""}
	errSendFailed = &apiError{http.StatusBadGateway, "send_failed",
		"The provider refused the message. The wallet was refunded."}
	errInternal = &apiError{http.StatusInternalServerError, "internal_error",
		"Something went wrong."}
)

// Three more, for requests that the documents do not describe.
var (
	errNotFound = &apiError{http.StatusNotFound, "not_found",
		"There is no such endpoint."}
	errMisdirected = &apiError{http.StatusMisdirectedRequest, "misdirected_request",
		"The sandbox does not serve the name in the Host header."}
	errMethodNotAllowed = &apiError{http.StatusMethodNotAllowed, "method_not_allowed",
		"The endpoint does not answer this method."}
)
