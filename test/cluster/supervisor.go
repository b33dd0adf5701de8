package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// supervisor starts components as processes of this same binary and ends them together, or one by one.
type supervisor struct {
	logs  string
	ended func(error) // told what ended by itself

	disturbed atomic.Bool // orders came: what ends by itself is started again, as a kubelet would

	ready func(context.Context) bool // the API server answers kwok and finds its etcd
	await func()                     // ends what renew still does

	components []*component // in the order in which they started
	lifeline   *os.File     // as long as it is open, components live
	reader     *os.File
}

// component is one process of the cluster, and the next one after it has been stopped and started again.
type component struct {
	args []string

	mu    sync.Mutex
	cmd   *exec.Cmd
	meant bool          // it is meant to end
	gone  chan struct{} // closed when it has ended
}

func (s *supervisor) start(args []string) error {
	if s.lifeline == nil {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		s.reader, s.lifeline = r, w
	}
	c := &component{args: args}
	if err := os.RemoveAll(s.log(c)); err != nil {
		return err
	}
	if err := s.launch(c); err != nil {
		return err
	}
	s.components = append(s.components, c)
	return nil
}

func (s *supervisor) log(c *component) string { return filepath.Join(s.logs, c.args[0]+".log") }

// lastWords are the ends of the logs: whoever started the cluster may remove them before anybody reads them.
func (s *supervisor) lastWords() string {
	const most = 1500 // bytes of each
	var words strings.Builder
	for _, c := range s.components {
		text, err := os.ReadFile(s.log(c))
		if err != nil {
			text = []byte(err.Error())
		}
		fmt.Fprintf(&words, "\n%s:\n%s", s.log(c), text[max(0, len(text)-most):])
	}
	return words.String()
}

func (s *supervisor) launch(c *component) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return s.run(c)
}

// run starts a process of a component, which is locked.
func (s *supervisor) run(c *component) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(s.log(c), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(self, c.args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{s.reader}
	cmd.Env = append(os.Environ(), lifeline+"=1")
	// A group of its own: an interrupt at the terminal reaches the supervisor, which stops them in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", c.args[0], err)
	}
	gone := make(chan struct{})
	c.cmd, c.gone, c.meant = cmd, gone, false
	go func() { // ends with the process, which end waits for
		err := cmd.Wait()
		close(gone)
		s.bury(c, cmd, err)
	}()
	return nil
}

// bury sees to a process of a component that has ended, unless it was meant to, or another has taken its place.
func (s *supervisor) bury(c *component, cmd *exec.Cmd, err error) {
	if !c.missed(cmd) {
		return
	}
	if !s.disturbed.Load() {
		s.ended(fmt.Errorf("%s ended by itself: %v", c.args[0], err))
		return
	}
	time.Sleep(time.Second) // as a kubelet waits before it starts a container again
	if err := s.replace(c, cmd); err != nil {
		s.ended(err)
	}
}

// replace starts a process in place of one that has ended, unless nobody misses it any more: who stops it meanwhile comes before or after.
func (s *supervisor) replace(c *component, cmd *exec.Cmd) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.misses(cmd) {
		return nil
	}
	return s.run(c)
}

// missed tells whether a process of the component that has ended ought to run.
func (c *component) missed(cmd *exec.Cmd) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.misses(cmd)
}

// misses is missed of a component that is locked.
func (c *component) misses(cmd *exec.Cmd) bool { return c.cmd == cmd && !c.meant }

func (c *component) isMeant() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.meant
}

func (c *component) signal(s syscall.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cmd.Process.Signal(s)
}

// end ends a component at once. The data is thrown away in the end, so nothing is lost by not asking first; and a graceful
// API server waits for its watches.
func (c *component) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.meant = true
	_ = c.cmd.Process.Kill()
	<-c.gone
}

// order carries out one line of standard input: "stop", "start", "pause" or "resume", and the name of a component. A
// paused one hangs: it keeps its connections and answers nothing.
func (s *supervisor) order(line string) error {
	verb, name, _ := strings.Cut(line, " ")
	i := slices.IndexFunc(s.components, func(c *component) bool { return c.args[0] == name })
	if i < 0 {
		return fmt.Errorf("component %q: want one of those that 'cluster up' logs", name)
	}
	s.disturbed.Store(true)
	if name == "kwok" {
		s.await() // it may be between two of its processes
	}
	c := s.components[i]
	switch stopped := c.isMeant(); {
	case verb == "stop" && !stopped:
		c.end()
		return nil
	case verb == "start" && stopped:
		s.renew()
		return s.launch(c)
	case verb == "pause" && !stopped:
		return c.signal(syscall.SIGSTOP)
	case verb == "resume" && !stopped:
		s.renew()
		return c.signal(syscall.SIGCONT)
	}
	return fmt.Errorf("cannot %q %s now: want stop, pause or resume while it runs, or start after stop", verb, name)
}

// renew starts kwok again as soon as the API server serves it, so that it finds the pods it has given up: it asks once more
// after a timeout and a refused connection, but not after one that broke off or a refusal, as of an API server that does not
// know its rights yet.
func (s *supervisor) renew() {
	s.await()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	s.await = func() { cancel(); <-done }
	go func() {
		defer close(done)
		if until(ctx, "the API server", func() bool { return s.ready(ctx) }) != nil {
			return
		}
		for _, c := range s.components {
			if c.args[0] != "kwok" || c.isMeant() {
				continue
			}
			c.end()
			if err := s.launch(c); err != nil {
				s.ended(err)
			}
		}
	}()
}

// stop ends the components, the last started first, and waits until they are gone.
func (s *supervisor) stop() {
	if s.lifeline == nil {
		return
	}
	s.await()
	for _, c := range slices.Backward(s.components) {
		c.end()
	}
	_ = s.lifeline.Close()
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
