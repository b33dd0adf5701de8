package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a running 'caprice run'.
type process struct {
	cmd   *exec.Cmd
	begin time.Time
	ended chan struct{} // closed once it has
	err   error         // by which it ended; read after that
	mu    sync.Mutex    // guards log
	log   bytes.Buffer
}

// start runs Caprice with the chart's account. Its window is open from now on for a while, so that the plan is of that time.
func (s *stage) start(ctx context.Context, mean string, open time.Duration) (*process, error) {
	now := time.Now().UTC()
	hours := now.Format("15:04") + "-" + now.Add(open+time.Minute).Format("15:04")
	if open > 22*time.Hour { // which would come round to where it begins
		hours = "00:00-24:00"
	}
	p := &process{cmd: exec.CommandContext(ctx, s.program, "run"), begin: time.Now(), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "KUBECONFIG="+s.account, "CAPRICE_LISTEN=127.0.0.1:0", "CAPRICE_DAYS=Mon-Sun", "CAPRICE_HOURS="+hours,
		"CAPRICE_MEAN_TIME_BETWEEN_KILLS="+mean, "CAPRICE_MIN_REPLICAS="+strconv.Itoa(min(2, s.pods)), "CAPRICE_MIN_AGE=0s",
		"CAPRICE_DRY_RUN=false", "CAPRICE_MAX_UNRECOVERED=0", "CAPRICE_RECOVERY_DEADLINE=30s")
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// Write takes what it logs.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// logged waits until it logs a text, and returns how long after its start that was.
func (p *process) logged(ctx context.Context, text string) (time.Duration, error) {
	for !strings.Contains(p.said(), text) {
		if err := p.running(); err != nil {
			return 0, err
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return 0, fmt.Errorf("caprice did not say %q: %w:\n%s", text, err, p.said())
		}
	}
	return time.Since(p.begin), nil
}

// running returns an error if it has ended.
func (p *process) running() error {
	select {
	case <-p.ended:
		return fmt.Errorf("caprice ended (%v):\n%s", p.err, p.said())
	default:
		return nil
	}
}

// stop ends it by SIGTERM, and waits until it has.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		if p.err != nil {
			return fmt.Errorf("caprice ended: %w:\n%s", p.err, p.said())
		}
		return nil
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
		return errors.New("caprice did not end when it was told to")
	}
}

// tick is the unit of times in /proc.
const tick = 10 * time.Millisecond

// cpu returns how much processor time a process has had.
func cpu(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])) // from the third on
	user, err := strconv.Atoi(fields[14-3])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[15-3])
	return time.Duration(user+system) * tick, err
}

// server returns the process that is the API server.
func (s *stage) server() (pid int, err error) {
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, err
	}
	for _, path := range processes {
		text, _ := os.ReadFile(path) // it may have ended
		args := strings.Split(string(text), "\x00")
		if len(args) >= 3 && args[1] == "kube-apiserver" && strings.Contains(string(text), s.dir) {
			return strconv.Atoi(filepath.Base(filepath.Dir(path)))
		}
	}
	return 0, errors.New("there is no kube-apiserver")
}

// serverCPU returns how much processor time the API server has had.
func (s *stage) serverCPU() (time.Duration, error) {
	pid, err := s.server()
	if err != nil {
		return 0, err
	}
	return cpu(pid)
}

// serverMemory returns how much memory the API server has, in MiB.
func (s *stage) serverMemory() (float64, error) {
	pid, err := s.server()
	if err != nil {
		return 0, err
	}
	return memory(pid, "VmRSS")
}

// memory returns a size in the status of a process, as VmHWM or VmRSS, in MiB.
func memory(pid int, key string) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, key+":"); ok {
			kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no %s", pid, key)
}

var (
	listening  = regexp.MustCompile(`listening address=(\S+)`)
	goroutines = regexp.MustCompile(`(?m)^go_goroutines (\d+)`)
)

// goroutines asks it how many goroutines it has.
func (p *process) goroutines() (float64, error) {
	found := listening.FindStringSubmatch(p.said())
	if found == nil {
		return 0, errors.New("caprice does not say where it listens")
	}
	answer, err := http.Get("http://" + found[1] + "/metrics")
	if err != nil {
		return 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err
	}
	n := goroutines.FindSubmatch(text)
	if n == nil {
		return 0, errors.New("the metrics have no go_goroutines")
	}
	return strconv.ParseFloat(string(n[1]), 64)
}
