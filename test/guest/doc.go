// Command guest runs a command as root under a real systemd on a real cgroup
// v2 host: a Debian guest in QEMU, built once and booted in seconds.
//
// The image (mmdebstrap, see recipe/) is cached by the hash of its recipe and
// never written to, so guests can run side by side. Files go in as a tar on a
// read-only drive and come back as a tar on another; the command's output is
// the guest's second serial port, copied live. README.md is for maintainers.
package main
