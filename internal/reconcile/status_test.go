package reconcile

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// historyStatuses are fields of a history entry, and whether it is evidence for sent.
var historyStatuses = map[string]bool{
	``:                                      true,
	`"status":null`:                         true,
	`"status":"sent"`:                       true,
	`"status":"SENT"`:                       true,
	`"status":"Delivered"`:                  true,
	`"status":"accepted"`:                   true,
	`"status":"queued"`:                     true,
	`"status":"submitted"`:                  true,
	`"status":"success"`:                    true,
	`"status":"DELIVERED_TO_HANDSET"`:       true,
	`"deliveryStatus":"delivered"`:          true,
	`"status":"sent","error":null`:          true,
	`"status":"sent","errorCode":0`:         true,
	`"state":"sent","failed_at":null`:       true,
	`"status":""`:                           false,
	`"status":"not_sent"`:                   false,
	`"status":"notSent"`:                    false,
	`"status":"unsent"`:                     false,
	`"status":"undelivered"`:                false,
	`"status":"NOT DELIVERED"`:              false,
	`"status":"not-accepted"`:               false,
	`"status":"delivery failed"`:            false,
	`"status":"blocked"`:                    false,
	`"status":"declined"`:                   false,
	`"status":"expired"`:                    false,
	`"status":"bounced"`:                    false,
	`"status":"error"`:                      false,
	`"status":"failed"`:                     false,
	`"status":"rejected"`:                   false,
	`"status":"refunded"`:                   false,
	`"status":"cancelled"`:                  false,
	`"status":"draft"`:                      false,
	`"status":"pending"`:                    false,
	`"status":"unknown"`:                    false,
	`"status":"success: 0 of 1"`:            false,
	`"status":3`:                            false,
	`"status":false`:                        false,
	`"status":{"name":"blocked"}`:           false,
	`"state":"blocked"`:                     false,
	`"status":"sent","state":"failed"`:      false,
	`"dlr_status":"failed","status":"sent"`: false,
	`"status":"sent","error":"no route"`:    false,
	`"failed_at":"2026-11-24T09:00:00Z"`:    false,
	`"failureReason":"absent"`:              false,
	`"delivered":false`:                     false,
	`"sent":false`:                          false,
	`"status":"sent","refunded":true`:       false,
}

// Only an entry with a clearly good status, or without one, is evidence for sent.
func TestRun_Status(t *testing.T) {
	t.Parallel()
	for fields, suggest := range historyStatuses {
		t.Run(fields, func(t *testing.T) {
			t.Parallel()
			env := newTestEnv(t)
			at := env.now()
			id := env.spend(send, "Hi", "unknown", "", phone1)
			entry := fmt.Sprintf(`{"phone":%q,"message":"Hi","created_at":%q`, phone1, at.Format(time.RFC3339))
			if fields != "" {
				entry += "," + fields
			}
			env.pages = []string{historyPage(entry + "}")}
			f := findingOf(t, env.run(), id)
			if (f.Suggestion == "sent") != suggest || f.MatchCount != 1 ||
				!suggest && !strings.Contains(f.Summary, "does not say that it was sent") {
				t.Errorf("%+v", f)
			}
		})
	}
}

// A batch that failed is no evidence for its numbers.
func TestRun_StatusOfBatch(t *testing.T) {
	t.Parallel()
	env := newTestEnv(t)
	at := env.now().Format(time.RFC3339)
	id := env.spend(send, "Hi", "unknown", "", phone1)
	for status, suggest := range map[string]bool{`"failed"`: false, `"sent"`: true, `200`: true} {
		env.pages = []string{`{"batches":[{"message":"Hi","date":"` + at + `","status":` + status +
			`,"recipients":[{"phone":"` + phone1 + `","status":"queued"}]}]}`}
		if f := findingOf(t, env.run(), id); (f.Suggestion == "sent") != suggest {
			t.Errorf("%s: %+v", status, f)
		}
	}
}
