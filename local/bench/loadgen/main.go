// Plays many charge points on one core, as cheaply as it can: what it measures is the server. One open CALL per
// connection; every reply's message id is compared with the CALL's.
//
//	loadgen -mode calls   CALLs one after the other on every connection, or at a fixed rate
//	loadgen -mode hold    connects, says what the handshakes cost, and stays until its standard input ends
//	loadgen -mode xadd    one XADD after the other to a Redis, at a fixed pace
//
// Says what it found as lines of JSON on standard output. Linux alone (epoll, /proc).
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

type options struct {
	mode          string
	targets       []string
	connections   int
	first         int
	sources       int
	inFlight      int
	path          string
	subprotocol   string
	credentials   string
	tls           bool
	phases        []string
	check         bool
	rate          float64
	warm, measure time.Duration
	settle, rest  time.Duration
	bytes         int
	told          int
	watched       watched
}

func main() {
	var o options
	var targets, phases string
	flag.StringVar(&o.mode, "mode", "calls", "calls, hold or xadd")
	flag.StringVar(&targets, "targets", "", "host:port, several with commas: connections take them in turn")
	flag.IntVar(&o.connections, "connections", 1000, "how many")
	flag.IntVar(&o.first, "first", 0, "how many lines of the credentials to leave out")
	flag.IntVar(&o.sources, "sources", 1, "how many source addresses, from 127.0.0.2 on")
	flag.IntVar(&o.inFlight, "in-flight", 256, "handshakes at a time")
	flag.StringVar(&o.path, "path", "/ocpp/", "what stands before the identity in the URL")
	flag.StringVar(&o.subprotocol, "subprotocol", "ocpp1.6", "Sec-WebSocket-Protocol")
	flag.StringVar(&o.credentials, "credentials", "", "a file with a line identity,password for each connection; none: made up, without a password")
	flag.BoolVar(&o.tls, "tls", false, "TLS, whatever the certificate (hold)")
	flag.StringVar(&phases, "phases", "Heartbeat", "messages, played one after the other on the same connections")
	flag.BoolVar(&o.check, "check", true, "compare the message ids of replies")
	flag.Float64Var(&o.rate, "rate", 0, "messages a second of all connections together; 0: each as soon as it is answered")
	flag.DurationVar(&o.warm, "warm", time.Second, "before each phase is measured")
	flag.DurationVar(&o.measure, "measure", 2*time.Second, "how long each phase is measured")
	flag.DurationVar(&o.settle, "settle", time.Second, "between the last handshake and the reading of its costs (hold)")
	flag.DurationVar(&o.rest, "rest", 0, "between the last handshake, which is told, and the first message (calls)")
	flag.IntVar(&o.told, "told", 0, "how many readings each station has told before")
	flag.IntVar(&o.bytes, "bytes", 700, "of an entry (xadd)")
	flag.Var(&o.watched, "watch", "name=pid[,pid]: whose CPU time is told; may be repeated")
	flag.Parse()
	o.targets = strings.Split(targets, ",")
	o.phases = strings.Split(phases, ",")

	// One thread does everything; a collection would be a stall of all stations, and nothing is allocated once it runs.
	runtime.GOMAXPROCS(1)
	runtime.LockOSThread()

	var err error
	switch {
	case o.mode == "calls":
		err = playCalls(o)
	case o.mode == "hold" && o.tls:
		err = holdWithTLS(o)
	case o.mode == "hold":
		err = holdPlain(o)
	case o.mode == "xadd":
		err = playXadd(o)
	default:
		err = fmt.Errorf("-mode %s: want calls, hold or xadd", o.mode)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func tell(found any) {
	line, err := json.Marshal(found)
	if err != nil {
		panic(err)
	}
	os.Stdout.Write(append(line, '\n'))
}
