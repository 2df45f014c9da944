package sandbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

const maxRequestBytes = 8 << 20 // bytes

// apiError is an answer that is not a success.
type apiError struct {
	status  int
	Code    string `json:"code"`
	Message string `json:"message"`
}

// The seven codes that the vendor documents, and two for what it leaves open.
var (
	errCredentials     = &apiError{http.StatusUnauthorized, "invalid_credentials", "The API key or secret is wrong."}
	errRevoked         = &apiError{http.StatusUnauthorized, "key_revoked", "The API key has been revoked."}
	errWalletForbidden = &apiError{http.StatusForbidden, "wallet_forbidden", "The wallet does not belong to this API key."}
	errInsufficient    = &apiError{http.StatusPaymentRequired, "insufficient_balance", "The wallet holds less than this costs."}
	errValidation      = &apiError{http.StatusUnprocessableEntity, "validation_failed", ""}
	errSendFailed      = &apiError{http.StatusBadGateway, "send_failed", "The provider refused the message. The wallet was refunded."}
	errInternal        = &apiError{http.StatusInternalServerError, "internal_error", "Something went wrong."}

	errNotFound         = &apiError{http.StatusNotFound, "not_found", "There is no such endpoint."}
	errMethodNotAllowed = &apiError{http.StatusMethodNotAllowed, "method_not_allowed", "The endpoint does not answer this method."}
)

func (e *apiError) Error() string { return e.Code + ": " + e.Message }

// withMessage is e with a message of its own.
func (e *apiError) withMessage(message string) *apiError { return &apiError{e.status, e.Code, message} }

// handlerFunc carries out one call and returns the answer's data. By the time it
// runs, the caller is known; all else that may be wrong is its own to check.
type handlerFunc func(context.Context, *requestFields) (any, error)

func (s *Sandbox) newMux() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, handlers := range map[string]map[string]handlerFunc{
		"/api/v1/account/balance":           {http.MethodGet: s.balance},
		"/api/v1/account/topup":             {http.MethodPost: s.topUp},
		"/api/v1/sms/send":                  {http.MethodPost: s.send},
		"/api/v1/sms/group":                 {http.MethodPost: s.sendGroup},
		"/api/v1/sms/history":               {http.MethodGet: s.history},
		"/api/v1/groups":                    {http.MethodGet: s.groups, http.MethodPost: s.createGroup},
		"/api/v1/groups/{groupId}/contacts": {http.MethodPost: s.addContacts},
		"/":                                 nil,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			data, err := s.handle(w, r, handlers)
			writeResponse(w, data, err)
		})
	}
	return mux
}

var escapedDots = strings.NewReplacer("%2e", ".", "%2E", ".")

// ServeHTTP answers one call.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Request-Id", s.newID("req_"))
	// An escaped slash is part of a name; an escaped dot is a dot.
	if urlPath := escapedDots.Replace(r.URL.EscapedPath()); path.Clean(urlPath) != urlPath {
		writeResponse(w, nil, errNotFound) // the mux would redirect
		return
	}
	// A call that arrived is carried out even if the caller hangs up.
	s.mux.ServeHTTP(w, r.WithContext(context.WithoutCancel(r.Context())))
}

func (s *Sandbox) handle(w http.ResponseWriter, r *http.Request, handlers map[string]handlerFunc) (any, error) {
	if handlers == nil {
		return nil, errNotFound
	}
	handler, ok := handlers[r.Method]
	if !ok {
		w.Header().Set("Allow", strings.Join(slices.Sorted(maps.Keys(handlers)), ", "))
		return nil, errMethodNotAllowed
	}
	ownWallet, err := s.authenticate(r)
	if err != nil {
		return nil, err
	}
	if err := s.settleDueDeposits(r.Context()); err != nil {
		return nil, err
	}
	values, err := decodeParams(w, r)
	if err != nil {
		return nil, err
	}
	in := &requestFields{values: values, ownWallet: ownWallet}
	in.wallet = in.stringField("walletId", noLimit)
	return handler(r.Context(), in)
}

// authenticate returns the wallet of the key that the call carries.
func (s *Sandbox) authenticate(r *http.Request) (wallet string, err error) {
	key, secret, _ := r.BasicAuth()
	var hash []byte
	var revoked bool
	err = s.db.QueryRowContext(r.Context(), `SELECT secret_hash, wallet_id, revoked FROM api_keys WHERE id = ?`, key).
		Scan(&hash, &wallet, &revoked)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", errCredentials
	case err != nil:
		return "", err
	case revoked:
		return "", errRevoked
	case bcrypt.CompareHashAndPassword(hash, []byte(secret)) != nil:
		return "", errCredentials
	}
	return wallet, nil
}

// decodeParams reads a call's parameters: a GET has them in the query, as strings, a
// POST in a JSON object, and some in the path.
func decodeParams(w http.ResponseWriter, r *http.Request) (map[string]any, error) {
	values := map[string]any{}
	if r.Method == http.MethodGet {
		query := r.URL.Query()
		for name := range query {
			values[name] = query.Get(name)
		}
		return values, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBytes))
	if err != nil {
		return nil, errValidation.withMessage("body: " + err.Error())
	}
	if err := json.Unmarshal(body, &values); err != nil || values == nil { // null is no error, and no object
		return nil, errValidation.withMessage("body: must be a JSON object")
	}
	if id := r.PathValue("groupId"); id != "" {
		values["groupId"] = id
	}
	return values, nil
}

type envelope struct {
	Success bool      `json:"success"`
	Data    any       `json:"data,omitempty"`
	Error   *apiError `json:"error,omitempty"`
}

// writeResponse writes the answer. An http.ErrAbortHandler drops the connection
// without one, in HTTP/1 and in HTTP/2.
func writeResponse(w http.ResponseWriter, data any, err error) {
	if errors.Is(err, http.ErrAbortHandler) {
		panic(http.ErrAbortHandler)
	}
	status, resp := http.StatusOK, envelope{Success: true, Data: data}
	if err != nil {
		apiErr, ok := errors.AsType[*apiError](err)
		if !ok {
			apiErr = errInternal.withMessage(err.Error())
		}
		status, resp = apiErr.status, envelope{Error: apiErr}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(resp) // a caller that hung up
}
