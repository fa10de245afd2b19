package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

var errThrownOut = errors.New("a connection that should have stayed was ended")

// As holdPlain, over TLS: a goroutine for each connection, because only the server's cost counts here.
func holdWithTLS(o options) error {
	requests, err := upgradeRequests(o)
	if err != nil {
		return err
	}
	begin, before := time.Now(), o.watched.read()
	handshakes := newHistogram()
	places := make(chan struct{}, o.inFlight)
	results := make(chan error)
	took := make(chan time.Duration, len(requests))
	config := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
	go func() {
		for i, request := range requests {
			places <- struct{}{}
			go func() {
				startedAt := time.Now()
				connection, reader, err := connectWithTLS(o, i, request, config)
				<-places
				took <- time.Since(startedAt)
				results <- err
				if err == nil {
					stay(connection, reader)
				}
			}()
		}
	}()
	for range requests {
		if err := <-results; err != nil {
			return err
		}
		handshakes.add(<-took)
	}
	seconds := time.Since(begin).Seconds()
	time.Sleep(o.settle)
	tell(holdFigures{len(requests), seconds, since(before, o.watched.read()), handshakes.latencies()})
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func connectWithTLS(o options, i int, request []byte, config *tls.Config) (*tls.Conn, *bufio.Reader, error) {
	dialer := net.Dialer{Timeout: time.Minute}
	if o.sources > 1 {
		dialer.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i%o.sources))}
	}
	plain, err := dialer.Dial("tcp4", o.targets[i%len(o.targets)])
	if err != nil {
		return nil, nil, err
	}
	connection := tls.Client(plain, config)
	if _, err := connection.Write(request); err != nil {
		return nil, nil, err
	}
	reader := bufio.NewReaderSize(connection, 512)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return nil, nil, err
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		return nil, nil, fmt.Errorf("connection %d was refused: %s", i, response.Status)
	}
	return connection, reader, nil
}

// Answers pings. The server's frames are short here.
func stay(connection *tls.Conn, reader *bufio.Reader) {
	for {
		head := make([]byte, 2)
		if _, err := io.ReadFull(reader, head); err != nil {
			fmt.Fprintln(os.Stderr, errThrownOut)
			os.Exit(1)
		}
		payload := make([]byte, head[1]&127)
		if _, err := io.ReadFull(reader, payload); err != nil || head[0]&15 == opClose {
			fmt.Fprintln(os.Stderr, errThrownOut)
			os.Exit(1)
		}
		if head[0]&15 == opPing {
			pong, _ := maskedFrame(opPong, payload)
			if _, err := connection.Write(pong); err != nil {
				return
			}
		}
	}
}
