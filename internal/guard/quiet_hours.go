package guard

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wesendall/wesendall-mcp/client"
	"github.com/wesendall/wesendall-mcp/internal/ledger"
)

// QuietHours are the hours of the day in Kampala in which a send to many needs a
// confirmation: from the first until the second. They are off where both are equal.
type QuietHours struct{ From, Until int }

const quietHoursOff = "off"

// UnmarshalText reads hours such as 21-7, or off.
func (q *QuietHours) UnmarshalText(text []byte) error {
	value := strings.TrimSpace(string(text))
	if strings.EqualFold(value, quietHoursOff) {
		*q = QuietHours{}
		return nil
	}
	from, until, _ := strings.Cut(value, "-")
	first, firstErr := strconv.ParseUint(strings.TrimSpace(from), 10, 8)
	last, lastErr := strconv.ParseUint(strings.TrimSpace(until), 10, 8)
	if firstErr != nil || lastErr != nil || first > 23 || last > 24 || first == last {
		return fmt.Errorf("%q must be two hours such as 21-7, or off", value)
	}
	*q = QuietHours{int(first), int(last)}
	return nil
}

// String is the form that UnmarshalText reads.
func (q QuietHours) String() string {
	if q.From == q.Until {
		return quietHoursOff
	}
	return fmt.Sprintf("%d-%d", q.From, q.Until)
}

func (q QuietHours) contains(t time.Time) bool {
	hour := t.In(ledger.KampalaZone).Hour()
	if q.From <= q.Until {
		return q.From <= hour && hour < q.Until
	}
	return hour >= q.From || hour < q.Until
}

// maxQuietRecipients is how many numbers a message may reach in quiet hours without
// a confirmation.
const maxQuietRecipients = 10

// disturbsQuietHours reports whether an intent reaches many people, and it is night.
func (g *Guard) disturbsQuietHours(in ledger.Intent) bool {
	reachesMany := in.Tool == client.ToolSendGroupSMS || in.Recipients > maxQuietRecipients
	return in.Kind == ledger.KindSend && reachesMany && g.options.QuietHours.contains(g.options.Clock())
}

// describeQuietHours says why a user must agree in quiet hours, as the end of a
// sentence.
func (g *Guard) describeQuietHours() string {
	return fmt.Sprintf("it is %s in Kampala, and in the quiet hours (WESENDALL_QUIET_HOURS=%s) a message to a group "+
		"or to more than %d recipients must be confirmed",
		g.options.Clock().In(ledger.KampalaZone).Format("15:04"), g.options.QuietHours, maxQuietRecipients)
}
