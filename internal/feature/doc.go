// Package feature says what this host can do: how its cgroups are mounted, what
// its kernel and systemd are old enough to lack, and what a person does about it.
//
// What memsup cannot do without is an error from [Probe]; what it can is listed
// in [Report.Missing], to be named once at the start. Everything missing is an
// [Error], one clear message with the fix in it.
//
// The floor is kernel 5.15 and systemd 249. Above it, features are found by their
// files and not by the kernel's version, which says nothing of what a distributor
// carried back or left out.
package feature
