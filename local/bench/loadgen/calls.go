package main

import (
	"bytes"
	"fmt"
	"runtime/debug"
	"syscall"
	"time"
)

// What a phase came to. CPU in seconds over the measured window, by the names of -watch.
type phaseFigures struct {
	Phase    string             `json:"phase"`
	Seconds  float64            `json:"seconds"`
	Messages uint64             `json:"messages"`
	CPU      map[string]float64 `json:"cpuSeconds"`
	// Seconds for which they were ready to run and others had the CPU, by the same names; empty where the kernel does not tell.
	Waited map[string]float64 `json:"waitedSeconds"`
	latencies
	// Replies that are none, or whose id is not the CALL's; those while it warmed up are among them.
	Wrong uint64 `json:"wrong"`
	// Connections that ended, while it warmed up too.
	Lost uint64 `json:"lost"`
	// The longest time without any answer at all.
	LongestSilenceMs float64 `json:"longestSilenceMs"`
	// At a fixed rate: found no connection without an open CALL.
	Held uint64 `json:"held"`
	// CALLs without an answer five seconds after the last phase.
	Unanswered int `json:"unanswered"`
}

type calls struct {
	*fleet
	template   *template
	histogram  *histogram
	messages   uint64
	wrong      uint64
	lost       uint64
	held       uint64
	lastReply  time.Duration
	silence    time.Duration
	sending    bool
	roundRobin int
	// At a fixed rate: the number of the next CALL, and when the first was due.
	due      uint64
	dueSince time.Duration
}

// Connects all stations, then plays the phases one after the other on the same connections.
func playCalls(o options) error {
	f, err := newFleet(o)
	if err != nil {
		return err
	}
	if err := f.connectAll(); err != nil {
		return err
	}
	if o.rest > 0 {
		tell(map[string]int{"connected": f.up})
		time.Sleep(o.rest)
	}
	debug.SetGCPercent(-1)
	wakeExactly()
	p := &calls{fleet: f, histogram: newHistogram(), sending: true}
	var found []phaseFigures
	for _, action := range o.phases {
		figures, err := p.playPhase(action)
		if err != nil {
			return err
		}
		found = append(found, figures)
	}
	p.sending = false
	end := f.now() + 5*time.Second
	for p.open() > 0 && f.now() < end {
		if err := p.turn(10 * time.Millisecond); err != nil {
			return err
		}
	}
	// What came after the last phase is counted with it.
	last := &found[len(found)-1]
	last.Unanswered, last.Wrong, last.Lost = p.open(), p.wrong, p.lost
	for _, figures := range found {
		tell(figures)
	}
	return nil
}

func (p *calls) playPhase(action string) (phaseFigures, error) {
	var err error
	if p.template, err = templateOf(action, time.Now()); err != nil {
		return phaseFigures{}, err
	}
	p.wrong, p.lost = 0, 0
	if p.o.rate == 0 {
		for _, c := range p.connections {
			if c.state == open && !c.waiting {
				p.call(c, p.now())
			}
		}
	} else {
		p.due, p.dueSince = 0, p.now()
	}
	if err := p.playUntil(p.now() + p.o.warm); err != nil {
		return phaseFigures{}, err
	}
	p.messages, p.held, p.silence = 0, 0, 0
	p.histogram.reset()
	waited := p.o.watched.waited()
	from, cpu := p.now(), p.o.watched.read()
	p.lastReply = from
	if err := p.playUntil(from + p.o.measure); err != nil {
		return phaseFigures{}, err
	}
	to := p.now()
	spent := since(cpu, p.o.watched.read())
	p.heard(to)
	return phaseFigures{
		Phase: action, Seconds: (to - from).Seconds(), Messages: p.messages, CPU: spent, Waited: since(waited, p.o.watched.waited()), latencies: p.histogram.latencies(),
		Wrong: p.wrong, Lost: p.lost, Held: p.held, LongestSilenceMs: float64(p.silence) / 1e6,
	}, nil
}

func (p *calls) playUntil(end time.Duration) error {
	for p.now() < end {
		wait := 100 * time.Millisecond
		if p.o.rate > 0 {
			wait = p.callDue()
		}
		if err := p.turn(wait); err != nil {
			return err
		}
	}
	return nil
}

// Takes what has come. A closed loop answers each reply with the next CALL.
func (p *calls) turn(wait time.Duration) error {
	n, err := epollWait(p.epfd, p.events, wait)
	if err != nil {
		return err
	}
	for i := range p.events[:n] {
		token := p.events[i].Fd
		if token == inputToken {
			return fmt.Errorf("ended by whoever started it")
		}
		c := p.connections[token]
		if c.state != open {
			continue
		}
		now := p.now()
		stays, err := p.read(c, func(payload []byte) { p.reply(c, payload, now) })
		if err != nil {
			return err
		}
		if !stays {
			p.lost++
		}
		if !c.waiting && p.sending && p.o.rate == 0 && stays {
			p.call(c, now)
		}
	}
	return nil
}

func (p *calls) reply(c *connection, payload []byte, now time.Duration) {
	isReply := len(payload) > idOffset+idDigits && bytes.HasPrefix(payload, []byte(`[3,"`))
	if !c.waiting || !isReply || (p.o.check && !bytes.Equal(payload[idOffset:idOffset+idDigits], c.id[:])) {
		p.wrong++
	}
	c.waiting = false
	p.messages++
	p.histogram.add(now - c.sentAt)
	p.heard(now)
}

func (p *calls) heard(now time.Duration) {
	if silence := now - p.lastReply; silence > p.silence {
		p.silence = silence
	}
	p.lastReply = now
}

func (p *calls) call(c *connection, at time.Duration) {
	c.nextID()
	p.template.setID(&c.id)
	if p.template.live != nil {
		p.template.tellNext(c)
	}
	c.sentAt, c.waiting = at, true
	if n, errno := send(c.fd, p.template.frame); n != len(p.template.frame) && errno != syscall.EPIPE && errno != syscall.ECONNRESET {
		// One open CALL fits every socket's buffer: this is no matter of waiting.
		panic(fmt.Sprintf("a frame was sent in part: %v", errno))
	}
}

// Sends what is due by now, latencies counting from when it was due, and says for how long nothing is.
func (p *calls) callDue() time.Duration {
	for {
		dueAt := p.dueSince + time.Duration(float64(p.due)*1e9/p.o.rate)
		if now := p.now(); dueAt > now {
			return dueAt - now
		}
		p.due++
		if c := p.free(); c != nil {
			p.call(c, dueAt)
		} else {
			p.held++
		}
	}
}

func (p *calls) free() *connection {
	for range p.connections {
		c := p.connections[p.roundRobin]
		p.roundRobin = (p.roundRobin + 1) % len(p.connections)
		if c.state == open && !c.waiting {
			return c
		}
	}
	return nil
}

func (p *calls) open() (count int) {
	for _, c := range p.connections {
		if c.state == open && c.waiting {
			count++
		}
	}
	return count
}
