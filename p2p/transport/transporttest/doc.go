// Package transporttest is what every transport has to pass: one set of tests
// that says what a [transport.Transport] is. It also has a name service for those
// that look up names.
package transporttest
