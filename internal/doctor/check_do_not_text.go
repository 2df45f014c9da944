package doctor

import "fmt"

// checkDoNotText reads the list of numbers that are never texted, if there is one.
func (o Options) checkDoNotText() []Finding {
	if o.DoNotText == nil {
		return nil
	}
	count, err := o.DoNotText.Check()
	if err != nil {
		return []Finding{failure("do-not-text list", err.Error(),
			"write one phone number a line; until then nothing is sent")}
	}
	return []Finding{ok("do-not-text list", fmt.Sprintf("numbers that are never texted: %d", count))}
}
