//go:build !race

package chaos

// enough is how many kills each statistic expects.
const enough = 200_000
