// Package supervise runs the line: what the kernel and systemd say becomes an
// observation, the engine turns it into decisions, and those are carried out.
//
// One goroutine, [Supervisor.Run], owns the engine's state and never waits for
// anything but the next observation. Each service has an actor with two
// goroutines: one follows its unit (D-Bus may take its time), the other reads its
// cgroup (an event must not wait for D-Bus). An action has a goroutine of its
// own, one at a time for each service.
package supervise
