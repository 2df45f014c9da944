// Package startup lets the garbage collector wait while the program starts. The
// packages that the program imports allocate several megabytes before main: at the
// default target the collector would run three times for what lives on anyway, which is
// a sixth of the time until the first answer.
//
// It imports nothing else, so that Go initializes it before most of those packages: it
// goes by import path among the packages that are ready.
package startup

import "runtime/debug"

// gcPercent is the collector's target during start-up. The default is 100.
const gcPercent = 400

var usualGCPercent = debug.SetGCPercent(gcPercent)

// RestoreGC sets the collector's target to what it was: the default, or that of GOGC.
func RestoreGC() { debug.SetGCPercent(usualGCPercent) }
