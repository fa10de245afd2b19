package main

import (
	"syscall"
	"time"
	"unsafe"
)

// epoll_pwait2 has the same number on every architecture (Linux 5.11 and newer); unlike epoll_wait it sleeps for less
// than a millisecond.
const sysEpollPwait2 = 441

// Calls that cannot block, or block while there is nothing else to do, go to the kernel without a word to Go's scheduler.

func epollCreate() (int, error) { return syscall.EpollCreate1(syscall.EPOLL_CLOEXEC) }

func watchFd(epfd, fd int, events uint32, token int32, op int) error {
	return syscall.EpollCtl(epfd, op, fd, &syscall.EpollEvent{Events: events, Fd: token})
}

// Waits for events; negative: for as long as it takes. Interrupted, it has none.
func epollWait(epfd int, events []syscall.EpollEvent, timeout time.Duration) (int, error) {
	var spec *syscall.Timespec
	if timeout >= 0 {
		t := syscall.NsecToTimespec(int64(timeout))
		spec = &t
	}
	n, _, errno := syscall.RawSyscall6(sysEpollPwait2, uintptr(epfd), uintptr(unsafe.Pointer(&events[0])),
		uintptr(len(events)), uintptr(unsafe.Pointer(spec)), 0, 0)
	if errno == syscall.EINTR {
		return 0, nil
	}
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func receive(fd int, into []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&into[0])), uintptr(len(into)), 0, 0, 0)
	return int(n), errno
}

func send(fd int, bytes []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&bytes[0])), uintptr(len(bytes)), syscall.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}

// The kernel wakes sleepers up to 50 µs late to save power, unless told otherwise.
func wakeExactly() {
	const prSetTimerslack = 29
	syscall.RawSyscall(syscall.SYS_PRCTL, prSetTimerslack, 1, 0)
}
