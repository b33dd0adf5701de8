package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// supervisor starts components as processes of this same binary and ends them together.
type supervisor struct {
	logs  string
	ended func(error) // told what ended by itself

	started  []*exec.Cmd
	lifeline *os.File // as long as it is open, components live
	reader   *os.File
	quiet    chan struct{} // closed when components are meant to end
	running  sync.WaitGroup
}

func (s *supervisor) start(args []string) error {
	if s.lifeline == nil {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		s.reader, s.lifeline, s.quiet = r, w, make(chan struct{})
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(s.logs, args[0]+".log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(self, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{s.reader}
	cmd.Env = append(os.Environ(), lifeline+"=1")
	// A group of its own: an interrupt at the terminal reaches the supervisor, which stops them in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", args[0], err)
	}
	s.started = append(s.started, cmd)
	s.running.Go(func() {
		err := cmd.Wait()
		select {
		case <-s.quiet:
		default:
			s.ended(fmt.Errorf("%s ended by itself: %v", args[0], err))
		}
	})
	return nil
}

// stop ends the components, the last started first, and waits until they are gone.
func (s *supervisor) stop() {
	if s.lifeline == nil {
		return
	}
	close(s.quiet)
	for i := len(s.started) - 1; i >= 0; i-- {
		// The data is thrown away, so nothing is lost by not asking first; and a graceful API server waits for its watches.
		_ = s.started[i].Process.Kill()
	}
	_ = s.lifeline.Close()
	s.running.Wait()
	_ = s.reader.Close()
}

// lockedBy returns the process that holds dir's lock, 0 if nobody does.
func lockedBy(dir string) int {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR, 0)
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
		return 0
	}
	var pid int
	_, _ = fmt.Fscan(f, &pid)
	return pid
}

// up starts 'serve' as a process of its own and returns when the cluster is ready.
func up(c Cluster) error {
	if lockedBy(c.Dir) != 0 {
		return fmt.Errorf("a cluster already runs in %s", c.Dir)
	}
	if err := os.MkdirAll(c.path("log"), 0o755); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.Create(c.path("log", "serve.log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(self, "serve", "--dir", c.Dir, "--nodes", fmt.Sprint(c.Nodes))
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var word string
	if _, err := fmt.Fscan(out, &word); err != nil || word != "ready" {
		_ = cmd.Wait()
		text, _ := os.ReadFile(log.Name())
		return fmt.Errorf("the cluster did not start: %s", text)
	}
	fmt.Printf("ready: export KUBECONFIG=%s\n", c.path("kubeconfig"))
	return nil
}

// down ends the cluster in dir, however it was started, and removes dir.
func down(dir string) error {
	for pid := lockedBy(dir); pid != 0; pid = lockedBy(dir) {
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && err != syscall.ESRCH {
			return fmt.Errorf("ending process %d: %w", pid, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if _, err := os.Stat(filepath.Join(dir, "lock")); err != nil {
		return fmt.Errorf("no cluster in %s", dir)
	}
	return os.RemoveAll(dir)
}
