package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"syscall"
	"time"
)

// The fleet: its connections, and what wakes us.
type fleet struct {
	epfd        int
	connections []*connection
	addresses   []syscall.SockaddrInet4
	o           options
	next, up    int
	startedAt   []time.Duration
	handshakes  *histogram
	begin       time.Time
	inputEnded  bool
	events      []syscall.EpollEvent
	buffer      []byte
}

// Stands for the standard input among the tokens.
const inputToken = -1

func newFleet(o options) (*fleet, error) {
	epfd, err := epollCreate()
	if err != nil {
		return nil, err
	}
	f := &fleet{epfd: epfd, o: o, handshakes: newHistogram(), begin: time.Now(),
		events: make([]syscall.EpollEvent, 1024), buffer: make([]byte, 256*1024)}
	if err := watchFd(epfd, 0, syscall.EPOLLIN, inputToken, syscall.EPOLL_CTL_ADD); err != nil {
		return nil, fmt.Errorf("standard input must be a pipe: %w", err)
	}
	for _, target := range o.targets {
		address, err := net.ResolveTCPAddr("tcp4", target)
		if err != nil {
			return nil, err
		}
		f.addresses = append(f.addresses, syscall.SockaddrInet4{Port: address.Port, Addr: [4]byte(address.IP.To4())})
	}
	requests, err := upgradeRequests(o)
	if err != nil {
		return nil, err
	}
	transactions, err := transactionsOf(o)
	if err != nil {
		return nil, err
	}
	for i, request := range requests {
		c := &connection{upgrade: request, told: o.told}
		if i < len(transactions) {
			c.transactionID = transactions[i]
		}
		copy(c.id[:], fmt.Sprintf("%07d%012d", o.first+i+1, 0))
		f.connections = append(f.connections, c)
	}
	f.startedAt = make([]time.Duration, len(requests))
	return f, nil
}

func (f *fleet) now() time.Duration { return time.Since(f.begin) }

// Connects the next one that has not begun yet.
func (f *fleet) connectNext() error {
	i := f.next
	f.next++
	c := f.connections[i]
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket %d: %w", i, err)
	}
	c.fd = fd
	if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
		return err
	}
	if f.o.sources > 1 {
		// The port is chosen with the connection, so that addresses may share it.
		const ipBindAddressNoPort = 24
		if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, ipBindAddressNoPort, 1); err != nil {
			return err
		}
		source := syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(2 + i%f.o.sources)}}
		if err := syscall.Bind(fd, &source); err != nil {
			return err
		}
	}
	f.startedAt[i] = f.now()
	if err := syscall.Connect(fd, &f.addresses[i%len(f.addresses)]); err != nil && err != syscall.EINPROGRESS {
		return fmt.Errorf("connect: %w", err)
	}
	return watchFd(f.epfd, fd, syscall.EPOLLOUT, int32(i), syscall.EPOLL_CTL_ADD)
}

// Connects all, so many at a time. Ends early when the standard input does.
func (f *fleet) connectAll() error {
	for f.next < len(f.connections) && f.next < f.o.inFlight {
		if err := f.connectNext(); err != nil {
			return err
		}
	}
	deadline := f.now() + 2*time.Minute
	for f.up < len(f.connections) && !f.inputEnded {
		if f.now() > deadline {
			return fmt.Errorf("only %d of %d connections were let in within two minutes", f.up, len(f.connections))
		}
		n, err := epollWait(f.epfd, f.events, time.Second)
		if err != nil {
			return err
		}
		for _, event := range f.events[:n] {
			if err := f.handshake(event); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *fleet) handshake(event syscall.EpollEvent) error {
	if event.Fd == inputToken {
		f.inputEnded = true
		return nil
	}
	c := f.connections[event.Fd]
	switch c.state {
	case connecting:
		if code, err := syscall.GetsockoptInt(c.fd, syscall.SOL_SOCKET, syscall.SO_ERROR); err != nil || code != 0 {
			return fmt.Errorf("connect: %w", syscall.Errno(code))
		}
		if n, errno := send(c.fd, c.upgrade); n != len(c.upgrade) {
			return fmt.Errorf("the upgrade request could not be sent: %w", errno)
		}
		c.upgrade = nil
		c.state = upgrading
		return watchFd(f.epfd, c.fd, syscall.EPOLLIN, event.Fd, syscall.EPOLL_CTL_MOD)
	case upgrading:
		n, errno := receive(c.fd, f.buffer)
		if errno == syscall.EAGAIN {
			return nil
		}
		if errno != 0 || n == 0 {
			return fmt.Errorf("connection %d was closed during the handshake", event.Fd)
		}
		c.rest = append(c.rest, f.buffer[:n]...)
		end := bytes.Index(c.rest, []byte("\r\n\r\n"))
		if end < 0 {
			return nil
		}
		if !bytes.HasPrefix(c.rest, []byte("HTTP/1.1 101 ")) {
			return fmt.Errorf("connection %d was refused: %q", event.Fd, c.rest)
		}
		c.rest = c.rest[end+4:]
		if len(c.rest) == 0 {
			c.rest = nil
		}
		c.state = open
		f.up++
		f.handshakes.add(f.now() - f.startedAt[event.Fd])
		if f.next < len(f.connections) {
			return f.connectNext()
		}
	case open: // what is sent to a station that only waits for the others
		_, err := f.read(c, nil)
		return err
	}
	return nil
}

// Reads what there is and hands each reply to `reply`; answers pings. False: the connection has ended.
func (f *fleet) read(c *connection, reply func(payload []byte)) (bool, error) {
	n, errno := receive(c.fd, f.buffer)
	if errno == syscall.EAGAIN {
		return true, nil
	}
	if errno != 0 || n == 0 {
		return false, f.drop(c)
	}
	bytes := f.buffer[:n]
	if len(c.rest) > 0 {
		bytes = append(c.rest, bytes...)
	}
	for len(bytes) >= 2 {
		length, header := int(bytes[1]&127), 2
		if length == 126 {
			if len(bytes) < 4 {
				break
			}
			length, header = int(binary.BigEndian.Uint16(bytes[2:])), 4
		}
		if len(bytes) < header+length {
			break
		}
		payload := bytes[header : header+length]
		switch bytes[0] & 15 {
		case opText:
			if reply != nil {
				reply(payload)
			}
		case opPing:
			pong, _ := maskedFrame(opPong, payload)
			send(c.fd, pong)
		case opClose:
			return false, f.drop(c)
		}
		bytes = bytes[header+length:]
	}
	if len(bytes) > 0 {
		c.rest = append([]byte(nil), bytes...)
	} else {
		c.rest = nil
	}
	return true, nil
}

func (f *fleet) drop(c *connection) error {
	c.state = gone
	return syscall.Close(c.fd)
}
