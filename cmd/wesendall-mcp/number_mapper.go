package main

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/wesendall/wesendall-mcp/internal/lazyregexp"
)

// digitGroups is a number as people write it: 50,000 or 50 000 or 50_000. A point is not
// accepted, because 1.000 may be one or a thousand.
var digitGroups = lazyregexp.New(`^[+-]?[0-9]{1,3}(?:(?:,[0-9]{3})+|(?:_[0-9]{3})+|(?:[ \x{a0}\x{202f}][0-9]{3})+)$`)

// decodeWholeNumber reads a whole number, also with digit groups. Its errors show the number as
// it was typed.
func decodeWholeNumber(ctx *kong.DecodeContext, target reflect.Value) error {
	token, err := ctx.Scan.PopValue("whole number")
	if err != nil {
		return err
	}
	typed := fmt.Sprint(token.Value)
	text := strings.TrimSpace(typed)
	if digitGroups().MatchString(text) {
		text = strings.NewReplacer(",", "", "_", "", " ", "", "\u00a0", "", "\u202f", "").Replace(text)
	}
	n, err := strconv.ParseInt(text, 10, target.Type().Bits())
	if err != nil {
		return fmt.Errorf("must be a whole number such as 50000, not %q", typed)
	}
	target.SetInt(n)
	return nil
}

// wholeNumberOptions make kong read numbers with digit groups.
func wholeNumberOptions() []kong.Option {
	mapper := kong.MapperFunc(decodeWholeNumber)
	return []kong.Option{kong.KindMapper(reflect.Int, mapper), kong.KindMapper(reflect.Int64, mapper)}
}
