//go:build race

package proc

// Race tells whether the tests, and so the programs, run under the race detector, which makes them slow.
const Race = true
