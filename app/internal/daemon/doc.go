// Package daemon runs an fx application as a daemon: its start and its end, the
// signals, the exit codes and what is said when it cannot start. The daemons of
// this module share it.
package daemon
