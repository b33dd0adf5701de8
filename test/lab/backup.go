package lab

import (
	"os"
	"path/filepath"
	"testing"
)

// Backup stops the API server and etcd for as long as it takes to copy what etcd keeps, and waits until they are back.
func (l *Lab) Backup(t *testing.T) {
	t.Helper()
	l.copied(t, "etcd", "backup")
}

// Restore has etcd keep what it did when Backup was called, and nothing besides. What lists and watches is started anew, as
// whoever restores a cluster has to: versions go back.
func (l *Lab) Restore(t *testing.T) {
	t.Helper()
	controllers := []string{"kube-controller-manager", "kube-scheduler"}
	for _, c := range controllers {
		l.Order(t, "stop "+c)
	}
	l.copied(t, "backup", "etcd")
	for _, c := range controllers {
		l.Order(t, "start "+c)
	}
}

// copied has one folder of the cluster's be a copy of another while neither etcd nor the API server runs.
func (l *Lab) copied(t *testing.T, from, to string) {
	t.Helper()
	l.Order(t, "stop kube-apiserver")
	l.Order(t, "stop etcd")
	from, to = filepath.Join(l.dir, from), filepath.Join(l.dir, to)
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	l.Order(t, "start etcd")
	l.Order(t, "start kube-apiserver")
	Eventually(t, "an API server that is ready", func() bool {
		return l.Client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(t.Context()).Error() == nil
	})
}
