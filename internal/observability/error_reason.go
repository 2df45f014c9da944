package observability

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/wesendall/wesendall-mcp/client"
)

// The reasons for a failed request other than its HTTP status.
const (
	reasonConnection = "connection" // it was not established, or it was lost
	reasonTimeout    = "timeout"
	reasonCancelled  = "cancelled"  // by the host
	reasonUnreadable = "unreadable" // a 2xx whose body is not a success
	reasonOther      = "other"      // a status without a name
)

// errorReason returns why a request failed: a status that has a name, or one of the reasons
// above; "" if it succeeded. The number of different values is bounded.
func errorReason(apiErr *client.Error) string {
	switch {
	case apiErr == nil:
		return ""
	case apiErr.Status/100 == 2:
		return reasonUnreadable
	case http.StatusText(apiErr.Status) != "":
		return strconv.Itoa(apiErr.Status)
	case apiErr.Status != 0:
		return reasonOther
	case errors.Is(apiErr, context.Canceled):
		return reasonCancelled
	case errors.Is(apiErr, context.DeadlineExceeded):
		return reasonTimeout
	}
	return reasonConnection
}

// responseStatus returns the HTTP status of a response, or 0 if none came.
func responseStatus(resp *client.Response, apiErr *client.Error) int {
	if apiErr != nil {
		return apiErr.Status
	}
	return resp.Status
}

// statusClass returns "1xx" to "5xx", "none" for 0, or "other".
func statusClass(status int) string {
	switch {
	case status == 0:
		return "none"
	case status < 100 || status > 599:
		return "other"
	}
	return strconv.Itoa(status/100) + "xx"
}
