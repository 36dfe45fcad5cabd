//go:build race

package p2ptest_test

const underRace = true
