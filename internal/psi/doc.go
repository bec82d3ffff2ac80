// Package psi reads pressure stall information and waits for the kernel's own
// pressure triggers (Documentation/accounting/psi.rst).
//
// A trigger is a threshold that the kernel watches: "tell me when tasks of this
// cgroup have waited for memory for 150 ms within one second". Nothing is
// polled: a [Poller] sleeps in one epoll_wait for any number of triggers and is
// woken within one of the kernel's tracking periods, a tenth of the window.
//
// The package takes descriptors and paths and knows nothing of cgroups.
//
// Three traps of the interface are handled here, once:
//
//   - The trigger is written with its terminating NUL. The kernel overwrites the
//     last byte that it is given, so without it the window loses a digit: EINVAL,
//     or a trigger that silently watches something else.
//   - Polling consumes. The kernel clears a trigger's event in its poll handler,
//     so whoever polls first takes it. The descriptor must therefore never be
//     an [os.File] (Go's netpoller would register it and eat the events), nor
//     may the epoll descriptor be nested inside another epoll: the outer one's
//     readiness check would swallow what the inner one is about to report.
//   - A removed cgroup reports EPOLLERR from then on, without end. Such a
//     trigger is dropped at once, its descriptor closed, and [Event.Gone] set.
package psi
