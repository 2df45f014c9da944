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

const maxRequestBytes = 8 << 20

// handlerFunc validates and executes one authenticated call, and returns the response's data.
type handlerFunc func(context.Context, *requestFields) (any, error)

// endpoint returns a handler that reads the fields of a request, refuses the call if any is
// wrong, and then executes it in the caller's wallet. read adds what is wrong to the fields;
// it returns an error only if it cannot tell.
func endpoint[T any](
	read func(context.Context, *requestFields) (T, error),
	execute func(ctx context.Context, wallet string, request T) (any, error),
) handlerFunc {
	return func(ctx context.Context, fields *requestFields) (any, error) {
		request, err := read(ctx, fields)
		if err != nil {
			return nil, err
		}
		if err := fields.validate(); err != nil {
			return nil, err
		}
		return execute(ctx, fields.wallet, request)
	}
}

func (s *Sandbox) newMux() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, methods := range map[string]map[string]handlerFunc{
		"/api/v1/account/balance": {http.MethodGet: endpoint(readNothing, s.balance)},
		"/api/v1/account/topup":   {http.MethodPost: endpoint(readTopUp, s.topUp)},
		"/api/v1/sms/send":        {http.MethodPost: endpoint(readSend, s.send)},
		"/api/v1/sms/group":       {http.MethodPost: endpoint(s.readGroupSend, s.send)},
		"/api/v1/sms/history":     {http.MethodGet: endpoint(readPage, s.history)},
		"/api/v1/groups": {
			http.MethodGet:  endpoint(readNothing, s.groups),
			http.MethodPost: endpoint(readNewGroup, s.createGroup),
		},
		"/api/v1/groups/{groupId}/contacts": {http.MethodPost: endpoint(s.readNewContacts, s.addContacts)},
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			data, err := s.handle(w, r, methods)
			writeResponse(w, data, err)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { writeResponse(w, nil, errNotFound) })
	return mux
}

var escapedDots = strings.NewReplacer("%2e", ".", "%2E", ".")

// ServeHTTP implements [http.Handler].
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Request-Id", s.newID("req_"))
	// The mux would redirect. An escaped slash is part of a segment; an escaped dot is a dot.
	if urlPath := escapedDots.Replace(r.URL.EscapedPath()); path.Clean(urlPath) != urlPath {
		writeResponse(w, nil, errNotFound)
		return
	}
	// A call that arrived is executed even if the caller hangs up.
	s.mux.ServeHTTP(w, r.WithContext(context.WithoutCancel(r.Context())))
}

// handle chooses the method's handler, authenticates the caller, and runs the handler.
func (s *Sandbox) handle(w http.ResponseWriter, r *http.Request, methods map[string]handlerFunc) (any, error) {
	handler, ok := methods[r.Method]
	if !ok {
		w.Header().Set("Allow", strings.Join(slices.Sorted(maps.Keys(methods)), ", "))
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
	fields := &requestFields{values: values, ownWallet: ownWallet}
	fields.wallet = fields.stringField("walletId", noLimit)
	return handler(r.Context(), fields)
}

// authenticate returns the wallet of the request's key.
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

// decodeParams returns the parameters of a request: a GET has them in the query, as strings; a
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
	// A body of null leaves values nil, without an error.
	if err := json.Unmarshal(body, &values); err != nil || values == nil {
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

// writeResponse writes data or err. An http.ErrAbortHandler drops the connection without a
// response, in HTTP/1 and HTTP/2.
func writeResponse(w http.ResponseWriter, data any, err error) {
	if errors.Is(err, http.ErrAbortHandler) {
		panic(http.ErrAbortHandler)
	}
	status, body := http.StatusOK, envelope{Success: true, Data: data}
	if err != nil {
		apiErr, ok := errors.AsType[*apiError](err)
		if !ok {
			apiErr = errInternal.withMessage(err.Error())
		}
		status, body = apiErr.status, envelope{Error: apiErr}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // fails if the caller hung up
}
