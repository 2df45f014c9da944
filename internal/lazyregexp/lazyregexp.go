// Package lazyregexp compiles regular expressions at their first use, so that the
// program starts without those that it does not need.
package lazyregexp

import (
	"regexp"
	"sync"
)

// New returns a regular expression that is compiled at its first use, which panics if
// the pattern is wrong.
func New(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}
