// Package daemon puts memsupd together: configuration, the host, the supervisor
// and its face, in one straight line, each with its teardown beside it.
package daemon
