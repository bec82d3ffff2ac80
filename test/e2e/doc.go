// Package e2e holds the end-to-end tests: memsupd under real systemd, on a real
// cgroup v2 host, with real Node services. They are built with the tag e2e and
// run as root in the guest (test/guest), or on any host that is meant for it.
package e2e
