// Package transporttest is what every transport has to pass: one set of tests
// that says what a [transport.Transport] is.
package transporttest
