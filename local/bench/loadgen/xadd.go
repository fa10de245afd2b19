package main

import (
	"bytes"
	"fmt"
	"net"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// Redis's own round trip: one XADD at a time to a stream of its own, each sent when it is due and waited for as a server
// does that has nothing else to do.
func playXadd(o options) error {
	address, err := net.ResolveTCPAddr("tcp4", o.targets[0])
	if err != nil {
		return err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: address.Port, Addr: [4]byte(address.IP.To4())}); err != nil {
		return err
	}
	if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
		return err
	}
	epfd, err := epollCreate()
	if err != nil {
		return err
	}
	if err := watchFd(epfd, fd, syscall.EPOLLIN, 0, syscall.EPOLL_CTL_ADD); err != nil {
		return err
	}
	const key = "bench:round-trip"
	command := []byte(fmt.Sprintf("*5\r\n$4\r\nXADD\r\n$%d\r\n%s\r\n$1\r\n*\r\n$1\r\nf\r\n$%d\r\n%s\r\n", len(key), key, o.bytes, strings.Repeat("x", o.bytes)))
	debug.SetGCPercent(-1)
	wakeExactly()
	begin := time.Now()
	found, buffer, events := newHistogram(), make([]byte, 4096), make([]syscall.EpollEvent, 1)
	pause := time.Duration(0)
	if o.rate > 0 {
		pause = time.Duration(1e9 / o.rate)
	}
	next := time.Duration(0)
	for time.Since(begin) < o.warm+o.measure {
		if wait := next - time.Since(begin); wait > 0 {
			if _, err := epollWait(epfd, events, wait); err != nil {
				return err
			}
			continue
		}
		sentAt := time.Since(begin)
		next = max(next+pause, sentAt-pause)
		if n, errno := send(fd, command); n != len(command) {
			return fmt.Errorf("redis: %w", errno)
		}
		for {
			if n, err := epollWait(epfd, events, time.Second); err != nil || n == 0 {
				return fmt.Errorf("redis does not answer: %v", err)
			}
			n, errno := receive(fd, buffer)
			if errno != 0 || n == 0 || buffer[0] != '$' {
				return fmt.Errorf("redis: %v %q", errno, buffer[:max(n, 0)])
			}
			if bytes.HasSuffix(buffer[:n], []byte("\r\n")) && bytes.Count(buffer[:n], []byte("\r\n")) == 2 {
				break
			}
		}
		if sentAt > o.warm {
			found.add(time.Since(begin) - sentAt)
		}
	}
	tell(found.latencies())
	return nil
}
