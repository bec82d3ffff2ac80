package unit

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// exitOf reads the part of siginfo_t that waitid(2) fills for SIGCHLD: after
// si_signo, si_errno and si_code, aligned as a pointer is, si_pid, si_uid and
// si_status (include/uapi/asm-generic/siginfo.h).
func exitOf(info *unix.Siginfo) exit {
	type chld struct{ pid, uid, status int32 }
	const head = 3 * unsafe.Sizeof(int32(0))
	const align = unsafe.Alignof(uintptr(0))
	sig := (*chld)(unsafe.Add(unsafe.Pointer(info), (head+align-1)&^(align-1)))
	return exit{code: info.Code, status: sig.status, known: sig.pid != 0}
}
