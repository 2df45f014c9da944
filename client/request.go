package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// request is one call with its parameters where the catalogue puts them.
type request struct {
	endpoint Endpoint
	url      string
	body     []byte // nil for a read
	// singleRecipient is set on a send to exactly one number. It is the only spend
	// that is safe to repeat after a refund: no other recipient can have got it.
	singleRecipient bool
}

// newRequest sorts the parameters of a call into path, query and body. The params
// are a struct whose JSON names are the endpoint's parameters.
func (c *Client) newRequest(e Endpoint, params any) (request, error) {
	encoded, err := json.Marshal(params)
	if err != nil {
		return request{}, err
	}
	// Most requests have a body and nothing else: it is encoded once.
	if !slices.ContainsFunc(e.Params, func(p Param) bool { return p.Location != ParamInBody }) {
		return request{endpoint: e, url: c.baseURL + e.Path, body: encoded}, nil
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(encoded, &values); err != nil {
		return request{}, err
	}
	path, query := e.Path, url.Values{}
	for _, p := range e.Params {
		value, given := values[p.Name]
		switch {
		case p.Location == ParamInPath:
			segment := jsonScalar(value)
			if segment == "" || segment == "." || segment == ".." {
				return request{}, fmt.Errorf("%s: must be an id, not %q", p.Name, segment)
			}
			path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(segment))
			delete(values, p.Name)
		case p.Location == ParamInQuery && given:
			query.Set(p.Name, jsonScalar(value))
		}
	}
	r := request{endpoint: e, url: c.baseURL + path}
	if e.Method == http.MethodGet {
		r.url += "?" + query.Encode()
		return r, nil
	}
	r.body, err = json.Marshal(values)
	return r, err
}

// jsonScalar returns the text of a JSON string, and any other value as it is
// written.
func jsonScalar(value json.RawMessage) string {
	var str string
	if json.Unmarshal(value, &str) == nil {
		return str
	}
	return string(value)
}

// newHTTPRequest adds the credentials and the headers.
func (c *Client) newHTTPRequest(ctx context.Context, r request) (*http.Request, error) {
	httpReq, err := http.NewRequestWithContext(ctx, r.endpoint.Method, r.url, nil)
	if err != nil {
		return nil, err
	}
	if r.body != nil {
		// Set here, the body has no GetBody, with which the transport could send it
		// a second time. As a reader in memory it is not flushed before the headers.
		httpReq.Body = io.NopCloser(bytes.NewReader(r.body))
		httpReq.ContentLength = int64(len(r.body))
		httpReq.Header.Set("Content-Type", "application/json")
	}
	httpReq.SetBasicAuth(c.apiKey, c.apiSecret.Reveal())
	httpReq.Header.Set("Accept", "application/json")
	httpReq.Header.Set("User-Agent", c.userAgent)
	return httpReq, nil
}
