//go:build race

package chaos

// enough is how many kills each statistic expects. The race detector makes them ten times as slow and finds nothing in
// them, so it gets by with fewer.
const enough = 10_000
