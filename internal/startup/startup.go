// Package startup delays garbage collection while the program starts. The packages that
// the program imports allocate several megabytes before main. At the default target the
// collector would run three times and free almost nothing, which takes a sixth of the
// time until the first answer.
//
// It imports only the standard library, so that Go initializes it before most of those
// packages: Go sorts the packages that are ready by import path.
package startup

import "runtime/debug"

// gcPercent is the collector's target during start-up. The default is 100.
const gcPercent = 400

var usualGCPercent = debug.SetGCPercent(gcPercent)

// RestoreGC restores the collector's target: the default, or the value of GOGC.
func RestoreGC() { debug.SetGCPercent(usualGCPercent) }
