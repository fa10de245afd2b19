package main

import "time"

// Latencies in buckets of a microsecond, up to two seconds; what takes longer is in the last one.
type histogram struct {
	buckets []uint32
	count   uint64
	longest time.Duration
}

func newHistogram() *histogram { return &histogram{buckets: make([]uint32, 2_000_001)} }

func (h *histogram) add(latency time.Duration) {
	us := int(latency / time.Microsecond)
	if us < 0 {
		us = 0
	}
	if us >= len(h.buckets) {
		us = len(h.buckets) - 1
	}
	h.buckets[us]++
	h.count++
	if latency > h.longest {
		h.longest = latency
	}
}

func (h *histogram) reset() {
	clear(h.buckets)
	h.count, h.longest = 0, 0
}

// The latency in µs below which this part of all lies.
func (h *histogram) quantile(part float64) int {
	rank, seen := uint64(part*float64(h.count)), uint64(0)
	for us, n := range h.buckets {
		seen += uint64(n)
		if seen > rank {
			return us
		}
	}
	return 0
}

type latencies struct {
	P50Us  int `json:"p50Us"`
	P99Us  int `json:"p99Us"`
	P999Us int `json:"p999Us"`
	MaxUs  int `json:"maxUs"`
}

func (h *histogram) latencies() latencies {
	return latencies{h.quantile(0.5), h.quantile(0.99), h.quantile(0.999), int(h.longest / time.Microsecond)}
}
