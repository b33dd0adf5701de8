// Package lab gives a test a real control plane of its own, and reads from its audit log what was really done.
package lab

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	authentication "k8s.io/api/authentication/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Lab is a running cluster.
type Lab struct {
	Kubeconfig string // of its administrator
	Client     kubernetes.Interface
	dir        string
	binary     string
}

// Root is the top of the source tree.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// Start boots a cluster that ends with the test, or with the process of the test however that ends.
func Start(t *testing.T) *Lab {
	t.Helper()
	l := &Lab{dir: t.TempDir(), binary: binary(t)}
	serve := exec.Command(l.binary, "serve", "--until-eof", "--dir", l.dir)
	var problem bytes.Buffer
	serve.Stderr = &problem
	lifeline, err := serve.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := serve.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = lifeline.Close()
		_ = serve.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		_, _ = io.Copy(io.Discard, out)
		_ = serve.Wait()
		t.Fatalf("the cluster did not start: %s", problem.String())
	}
	l.Kubeconfig = filepath.Join(l.dir, "kubeconfig")
	config, err := clientcmd.BuildConfigFromFlags("", l.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	if l.Client, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	return l
}

func binary(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("TEST_CLUSTER"); path != "" {
		return path
	}
	build := exec.Command(filepath.Join(Root(), "test", "cluster", "build"))
	build.Stderr = os.Stderr
	out, err := build.Output()
	if err != nil {
		t.Fatalf("building the test cluster: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// Kubectl runs kubectl as the administrator, with text on its standard input, and returns what it prints.
func (l *Lab) Kubectl(t *testing.T, text string, args ...string) string {
	t.Helper()
	kubectl := exec.Command(l.binary, append([]string{"kubectl"}, args...)...)
	kubectl.Env = append(os.Environ(), "KUBECONFIG="+l.Kubeconfig)
	kubectl.Stdin = strings.NewReader(text)
	out, err := kubectl.CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// KubeconfigOf returns a kubeconfig that signs in by a token of a service account.
func (l *Lab) KubeconfigOf(t *testing.T, namespace, account string) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(l.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	token, err := l.Client.CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), account, &authentication.TokenRequest{}, meta.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	config.AuthInfos = map[string]*api.AuthInfo{account: {Token: token.Status.Token}}
	for _, c := range config.Contexts {
		c.AuthInfo, c.Namespace = account, namespace
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// Removal is one request to delete or evict a pod, as the API server's audit log has it.
type Removal struct {
	At                   time.Time // when the API server received it
	User, Namespace, Pod string
	UID                  string // of the precondition
	Evicted, DryRun      bool
	Accepted             bool
}

type auditLine struct {
	Stage                    string
	Verb                     string
	User                     struct{ Username string }
	ObjectRef                struct{ Resource, Subresource, Namespace, Name string }
	ResponseStatus           struct{ Code int }
	RequestReceivedTimestamp time.Time
	RequestObject            struct {
		deleteOptions
		DeleteOptions deleteOptions
	}
}

type deleteOptions struct {
	Preconditions struct{ UID string }
	DryRun        []string
}

// Removals returns all requests to remove a pod that people and programs made.
func (l *Lab) Removals(t *testing.T) []Removal {
	t.Helper()
	removals, err := ReadRemovals(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	return removals
}

// ReadRemovals returns all requests to remove a pod that people and programs made to the cluster in dir, in their order;
// not those of the cluster's own controllers and kubelets.
func ReadRemovals(dir string) ([]Removal, error) {
	file, err := os.Open(filepath.Join(dir, "audit.log"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	var removals []Removal
	for decoder := json.NewDecoder(file); ; {
		var a auditLine
		if err := decoder.Decode(&a); err == io.EOF || err == io.ErrUnexpectedEOF { // the last line may be half written
			return removals, nil
		} else if err != nil {
			return nil, err
		}
		evicted := a.Verb == "create" && a.ObjectRef.Subresource == "eviction"
		deleted := a.Verb == "delete" && a.ObjectRef.Subresource == ""
		own := a.User.Username == "kwok" || strings.HasPrefix(a.User.Username, "system:serviceaccount:kube-system:")
		if a.Stage != "ResponseComplete" || a.ObjectRef.Resource != "pods" || !evicted && !deleted || own {
			continue
		}
		options := a.RequestObject.deleteOptions
		if evicted {
			options = a.RequestObject.DeleteOptions
		}
		removals = append(removals, Removal{
			At: a.RequestReceivedTimestamp, User: a.User.Username, Namespace: a.ObjectRef.Namespace, Pod: a.ObjectRef.Name,
			UID: options.Preconditions.UID, Evicted: evicted, DryRun: len(options.DryRun) > 0, Accepted: a.ResponseStatus.Code < 300,
		})
	}
}

// Eventually waits until done returns true.
func Eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s did not come about", what)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
