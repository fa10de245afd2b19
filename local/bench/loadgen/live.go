package main

import (
	"fmt"
	"strings"
	"time"
)

// "MeterValues!": each station tells its own readings, one after the other, instead of the same one again and again, so that
// whoever stores them has something to store.
const livePhase = "!"

// Where in the text what changes stands; each is as long as what stands there.
type liveFields struct {
	timestamp, transaction, energy, power, current, soc int
	// Readings of a station are a second apart from here on, however fast they are told.
	midnight time.Time
	// The last second that was spelled: many stations tell the same one.
	second  int
	spelled []byte
}

// As many as the number in the payload has.
const transactionDigits = 6

const timestampForm = "2006-01-02T15:04:05.000Z"

func liveFieldsOf(name, text string, now time.Time) (*liveFields, error) {
	if name != "MeterValues" {
		return nil, fmt.Errorf("%s%s: only MeterValues change", name, livePhase)
	}
	behind := func(mark string) int { return strings.Index(text, mark) + len(mark) }
	return &liveFields{
		timestamp:   behind(`"timestamp":"`),
		transaction: behind(`"transactionId":`),
		energy:      behind(`[{"value":"`),
		power:       behind(`"Wh"},{"value":"`),
		current:     behind(`"W"},{"value":"`),
		soc:         behind(`"V"},{"value":"`),
		midnight:    now.UTC().Truncate(24 * time.Hour),
		second:      -1,
	}, nil
}

// Writes the station's next reading into the frame.
func (t *template) tellNext(c *connection) {
	f := t.live
	c.told++
	if c.told != f.second {
		f.second = c.told
		f.spelled = f.midnight.Add(time.Duration(c.told)*time.Second).AppendFormat(f.spelled[:0], timestampForm)
	}
	t.put(f.timestamp, f.spelled)
	t.put(f.transaction, []byte(c.transactionID))
	t.putDigits(f.energy, 7, 1_000_000+31*c.told)
	t.putDigits(f.power, 5, 11_000+c.told%90)
	t.putDigits(f.current+3, 1, c.told%10)
	t.putDigits(f.soc, 2, 10+c.told%90)
}

func (t *template) put(at int, text []byte) {
	place := t.frame[t.header+at:]
	for i, b := range text {
		place[i] = b ^ mask[(at+i)&3]
	}
}

func (t *template) putDigits(at, digits, number int) {
	for i := at + digits - 1; i >= at; i-- {
		t.frame[t.header+i] = byte('0'+number%10) ^ mask[i&3]
		number /= 10
	}
}
