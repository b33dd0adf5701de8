package lab

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// Prometheus starts a Prometheus with a configuration, and returns its URL. It ends with the test.
func Prometheus(t *testing.T, config string) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return server(t, program(t, "prometheus"), "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:0")
}

// Alertmanager starts an Alertmanager with a configuration, and returns its URL. It ends with the test. Debian's wants files
// where only root can install them, so this one is built: once, for about a minute.
func Alertmanager(t *testing.T, config string) string {
	t.Helper()
	dir := t.TempDir()
	file, path := filepath.Join(dir, "alertmanager.yml"), filepath.Join(dir, "alertmanager")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", path, "github.com/prometheus/alertmanager/cmd/alertmanager")
	build.Dir, build.Env = filepath.Join(Root(), "test", "alertmanager"), append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if _, err := output(build); err != nil {
		t.Fatal(err)
	}
	return server(t, path, "--config.file="+file, "--storage.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:0", "--cluster.listen-address=")
}

// Promtool runs promtool on what it reads from its standard input, and returns what it prints. The test fails where it does.
func Promtool(t *testing.T, input string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program(t, "promtool"), args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := output(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// program returns the path of a program that 'make test-deps' provides. Without it the test fails: what was not tried has not
// passed.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	deps := exec.Command(filepath.Join(Root(), "test", "deps"))
	deps.Stderr = os.Stderr
	folder, err := deps.Output()
	if err != nil {
		t.Fatalf("want %s: make test-deps: %v", name, err)
	}
	return filepath.Join(strings.TrimSpace(string(folder)), name)
}

// listening is how Prometheus and Alertmanager say which port they got.
var listening = regexp.MustCompile(`msg="Listening on" address=(127\.0\.0\.1:[0-9]+)`)

// server starts a program that listens on a port of its own choice, and returns its URL once it does.
func server(t *testing.T, path string, args ...string) string {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address, ended, said := make(chan string, 1), make(chan struct{}), strings.Builder{}
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			said.WriteString(lines.Text() + "\n")
			if found := listening.FindStringSubmatch(lines.Text()); found != nil {
				address <- found[1]
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", path, said.String())
		}
	})
	select {
	case a := <-address:
		return "http://" + a
	case <-ended:
		t.Fatalf("%s ended before it listened", path)
		return ""
	}
}
