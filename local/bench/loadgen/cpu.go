package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Groups of processes whose CPU time is told, by name.
type watched []struct {
	name string
	pids []string
}

func (w *watched) String() string { return "" }

func (w *watched) Set(text string) error {
	name, list, found := strings.Cut(text, "=")
	if !found {
		return fmt.Errorf("want name=pid[,pid]")
	}
	*w = append(*w, struct {
		name string
		pids []string
	}{name, strings.Split(list, ",")})
	return nil
}

// Seconds that each group spent so far, in user and kernel mode, all threads; "generator" is this process.
func (w watched) read() map[string]float64 {
	seconds := map[string]float64{"generator": cpuSeconds("self")}
	for _, group := range w {
		for _, pid := range group.pids {
			seconds[group.name] += cpuSeconds(pid)
		}
	}
	return seconds
}

// Seconds for which each group was ready to run and did not, because others had the CPU; "stolen" is what the machine's host took.
func (w watched) waited() map[string]float64 {
	seconds := map[string]float64{"generator": waitedSeconds("self"), "stolen": stolenSeconds()}
	for _, group := range w {
		for _, pid := range group.pids {
			seconds[group.name] += waitedSeconds(pid)
		}
	}
	return seconds
}

// The second field of schedstat, of the thread that waited most: threads wait side by side. 0 where the kernel does not tell.
func waitedSeconds(pid string) (longest float64) {
	threads, _ := filepath.Glob("/proc/" + pid + "/task/*/schedstat")
	for _, thread := range threads {
		text, _ := os.ReadFile(thread)
		if fields := strings.Fields(string(text)); len(fields) > 1 {
			nanoseconds, _ := strconv.ParseFloat(fields[1], 64)
			longest = max(longest, nanoseconds/1e9)
		}
	}
	return longest
}

// Of all CPUs together: the eighth figure of the first line of /proc/stat, in hundredths. 0 where there is none.
func stolenSeconds() float64 {
	text, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 {
		return 0
	}
	hundredths, _ := strconv.ParseFloat(fields[8], 64)
	return hundredths / 100
}

// A figure of a process that has ended would be wrong: it ends us.
func cpuSeconds(pid string) float64 {
	if seconds, known := exactCPUSeconds(pid); known {
		return seconds
	}
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		fmt.Fprintf(os.Stderr, "process %s has ended\n", pid)
		os.Exit(1)
	}
	// The name in parentheses may hold anything; utime and stime are the 14th and 15th field, in hundredths.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	kernel, _ := strconv.ParseFloat(fields[12], 64)
	return (user + kernel) / 100
}

// The same to the nanosecond, thread by thread, where the kernel tells (CONFIG_SCHED_INFO): hundredths of a second are too
// coarse for a window in which a server had little to do.
func exactCPUSeconds(pid string) (seconds float64, known bool) {
	threads, _ := filepath.Glob("/proc/" + pid + "/task/*/schedstat")
	for _, thread := range threads {
		text, err := os.ReadFile(thread)
		onCPU, _, found := strings.Cut(string(text), " ")
		nanoseconds, _ := strconv.ParseFloat(onCPU, 64)
		if err != nil || !found {
			return 0, false
		}
		seconds += nanoseconds / 1e9
	}
	return seconds, seconds > 0
}

func since(before, after map[string]float64) map[string]float64 {
	spent := map[string]float64{}
	for name, seconds := range after {
		spent[name] = seconds - before[name]
	}
	return spent
}
