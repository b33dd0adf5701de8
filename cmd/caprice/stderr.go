package main

import (
	"bufio"
	"fmt"
	"log"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// linesWaiting is how many lines wait for standard error to take them.
	linesWaiting = 1000
	// lastLines is how long they are waited for when the program ends.
	lastLines = 500 * time.Millisecond
)

// unhindered puts a pipe in the place of standard error that always takes what is written, and has it copied there: whoever logs
// must not wait where nobody reads the log any more, as when a container's runtime hangs, since kills wait for who logs. Lines that
// find no room are dropped, and once there is some again a line says how many. Where whoever read is gone, all are, and that ends nothing.
// Flush waits for a moment until all is copied, and comes last. What a panic says goes past all that.
func unhindered() (flush func(), err error) {
	from, into, err := os.Pipe()
	if err != nil {
		return func() {}, fmt.Errorf("making a pipe for the log: %w", err)
	}
	to := os.Stderr
	os.Stderr = into
	log.SetOutput(into) // of the standard library, by which net/http logs
	signal.Ignore(syscall.SIGPIPE)
	var dropped atomic.Int64
	lines, copied := make(chan string, linesWaiting), make(chan struct{})
	go func() {
		defer close(lines)
		for reader := bufio.NewReader(from); ; {
			line, err := reader.ReadString('\n')
			if line != "" {
				select {
				case lines <- line:
				default:
					dropped.Add(1)
				}
			}
			if err != nil {
				return
			}
		}
	}()
	go func() {
		defer close(copied)
		for line := range lines {
			_, _ = to.WriteString(line)
			if n := dropped.Swap(0); n > 0 {
				_, _ = fmt.Fprintf(to, "%d lines of the log were dropped, since nobody read it\n", n)
			}
		}
	}()
	return func() {
		_ = into.Close()
		select {
		case <-copied:
		case <-time.After(lastLines):
		}
	}, nil
}
