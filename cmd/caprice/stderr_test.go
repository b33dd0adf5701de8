package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
)

// logged puts both ends of a pipe in the place of what standard error is until the test ends, and an unhindered one before that.
func logged(t *testing.T) (from, real *os.File, flush func()) {
	t.Helper()
	from, real, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	before := os.Stderr
	t.Cleanup(func() {
		os.Stderr = before
		log.SetOutput(before)
		signal.Reset(syscall.SIGPIPE)
	})
	os.Stderr = real
	if flush, err = unhindered(); err != nil {
		t.Fatal(err)
	}
	return from, real, flush
}

func TestALogThatNobodyReadsHindersNobody(t *testing.T) {
	unread, _, flush := logged(t)
	line := strings.Repeat("x", 1000)
	const written = 5 * linesWaiting // some 5 MB
	for n := range written {
		if _, err := fmt.Fprintln(os.Stderr, n, line); err != nil {
			t.Fatal(err)
		}
	}
	flush() // it waits no longer than it may

	read, dropped, last := 0, 0, -1
	scanner := bufio.NewScanner(unread)
	for read+dropped < written && scanner.Scan() {
		var n int
		switch _, err := fmt.Sscanf(scanner.Text(), "%d lines of the log were dropped", &n); {
		case err == nil:
			dropped += n
		default:
			if _, err := fmt.Sscan(scanner.Text(), &n); err != nil || n <= last || !strings.HasSuffix(scanner.Text(), line) {
				t.Fatalf("after line %d it has %.20q", last, scanner.Text())
			}
			read, last = read+1, n
		}
	}
	if read < linesWaiting || dropped == 0 || read+dropped != written {
		t.Errorf("of %d lines %d were read, and it says that %d were dropped", written, read, dropped)
	}
}

func TestALogThatIsReadIsWholeInTheEnd(t *testing.T) {
	from, real, flush := logged(t)
	for n := range 20 {
		_, _ = fmt.Fprintln(os.Stderr, "line", n)
	}
	_, _ = fmt.Fprint(os.Stderr, "and no end")
	flush()
	_ = real.Close()
	all, scanner := []string{}, bufio.NewScanner(from)
	for scanner.Scan() {
		all = append(all, scanner.Text())
	}
	if len(all) != 21 || all[0] != "line 0" || all[20] != "and no end" {
		t.Errorf("it has %q", all)
	}
}

func TestWhatTheStandardLibraryLogsGoesTheSameWay(t *testing.T) {
	from, real, flush := logged(t)
	log.Print("http: accepted nothing")
	flush()
	_ = real.Close()
	if said, err := io.ReadAll(from); err != nil || !strings.HasSuffix(string(said), " http: accepted nothing\n") {
		t.Errorf("%v, and it has %q", err, said)
	}
}

// A process is ended by SIGPIPE if it writes to a standard error that nobody has open any more, and is none of this one's files.
func TestALogWhoseReaderIsGoneEndsNothing(t *testing.T) {
	const alone = "CAPRICE_TEST_LOGS_ALONE"
	if os.Getenv(alone) != "" {
		flush, err := unhindered()
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintln(os.Stderr, "nobody reads this")
		flush()
		_, _ = fmt.Println("it goes on")
		return
	}
	from, into, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = from.Close()
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env, child.Stderr = append(os.Environ(), alone+"=1"), into
	if said, err := child.Output(); err != nil || !strings.Contains(string(said), "it goes on") {
		t.Errorf("%v, and it says %q; want it to go on", err, said)
	}
	_ = into.Close()
}
