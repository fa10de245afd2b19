package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

type state byte

const (
	connecting state = iota
	upgrading
	open
	gone
)

type connection struct {
	fd      int
	state   state
	waiting bool // for the answer of its CALL
	id      [idDigits]byte
	sentAt  time.Duration
	rest    []byte // the beginning of what has not come whole yet
	upgrade []byte // the request
	// Of a station that charges: its transaction, and how many readings it has told.
	transactionID string
	told          int
}

// The transactions that the credentials name, by connection; nil where they name none.
func transactionsOf(o options) ([]string, error) {
	if o.credentials == "" {
		return nil, nil
	}
	text, err := os.ReadFile(o.credentials)
	if err != nil {
		return nil, err
	}
	var found []string
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if fields := strings.Split(line, ","); i >= o.first && len(found) < o.connections && len(fields) > 2 {
			if len(fields[2]) != transactionDigits {
				return nil, fmt.Errorf("transaction %s: want %d digits", fields[2], transactionDigits)
			}
			found = append(found, fields[2])
		}
	}
	return found, nil
}

// Raises the number in the id's last twelve digits.
func (c *connection) nextID() {
	for i := idDigits - 1; i >= 0; i-- {
		if c.id[i] != '9' {
			c.id[i]++
			return
		}
		c.id[i] = '0'
	}
}

// The handshake of each connection, with Basic auth where there are credentials.
func upgradeRequests(o options) ([][]byte, error) {
	var lines []string
	if o.credentials != "" {
		file, err := os.Open(o.credentials)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		for scanner := bufio.NewScanner(file); scanner.Scan(); {
			lines = append(lines, scanner.Text())
		}
		if len(lines) < o.first+o.connections {
			return nil, fmt.Errorf("%s has %d lines for %d connections", o.credentials, len(lines), o.first+o.connections)
		}
		lines = lines[o.first:]
	}
	var requests [][]byte
	for i := 0; i < o.connections; i++ {
		identity, authorization := "bench-"+strconv.Itoa(o.first+i), ""
		if lines != nil {
			fields := strings.Split(lines[i], ",")
			if len(fields) < 2 {
				return nil, fmt.Errorf("%s: want identity,password[,transaction]", o.credentials)
			}
			identity = fields[0]
			password := fields[1]
			authorization = "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(identity+":"+password)) + "\r\n"
		}
		requests = append(requests, []byte("GET "+o.path+identity+" HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Key: c2l4dGVlbiBieXRlcyEhIQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: "+o.subprotocol+"\r\n"+authorization+"\r\n"))
	}
	return requests, nil
}
