// Package state keeps what must outlive the daemon in one file: alerts, restart
// budgets and the action in progress, written before the action is begun.
//
// A write is atomic (a temporary file, fsync, rename, fsync of the directory),
// so a kill at any point leaves the old file or the new one. A file that cannot
// be read, being corrupt or of a newer version, is set aside under another name
// and never deleted.
package state
