package main

import "time"

// What the handshakes came to. CPU from the first connection to `settle` after the last.
type holdFigures struct {
	Connections int                `json:"connections"`
	Seconds     float64            `json:"seconds"`
	CPU         map[string]float64 `json:"cpuSeconds"`
	latencies
}

// Connects, tells, and stays there answering pings until its standard input ends. Who is thrown out meanwhile ends it.
func holdPlain(o options) error {
	f, err := newFleet(o)
	if err != nil {
		return err
	}
	before := o.watched.read()
	if err := f.connectAll(); err != nil {
		return err
	}
	connected := f.now()
	told := false
	for !f.inputEnded {
		if !told && f.now() > connected+o.settle {
			told = true
			tell(holdFigures{f.up, connected.Seconds(), since(before, o.watched.read()), f.handshakes.latencies()})
		}
		n, err := epollWait(f.epfd, f.events, 50*time.Millisecond)
		if err != nil {
			return err
		}
		for _, event := range f.events[:n] {
			if err := f.handshake(event); err != nil {
				return err
			}
			if event.Fd != inputToken && f.connections[event.Fd].state == gone {
				return errThrownOut
			}
		}
	}
	return nil
}
