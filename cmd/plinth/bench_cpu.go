package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of /proc/PID/stat on Linux (USER_HZ).
const tick = 10 * time.Millisecond

// cpuOf is the processor time of a process and all its descendants so far,
// ended ones included: for a server with a private Postgres, both.
func cpuOf(pid int) (time.Duration, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	children := make(map[int][]int)
	ticks := make(map[int]int64)
	for _, file := range stats {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // it ended meanwhile
		}
		id, _ := strconv.Atoi(strings.Split(file, "/")[2])
		// The command's name is in parentheses and may hold blanks.
		fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
		if len(fields) < 15 {
			continue
		}
		parent, _ := strconv.Atoi(fields[1])
		children[parent] = append(children[parent], id)
		for _, f := range fields[11:15] { // utime, stime, and those of ended children
			n, _ := strconv.ParseInt(f, 10, 64)
			ticks[id] += n
		}
	}
	if _, ok := ticks[pid]; !ok {
		return 0, fmt.Errorf("there is no process %d to measure", pid)
	}
	var total int64
	queue := []int{pid}
	for len(queue) > 0 {
		id := queue[0]
		queue = append(queue[1:], children[id]...)
		total += ticks[id]
	}
	return time.Duration(total) * tick, nil
}
