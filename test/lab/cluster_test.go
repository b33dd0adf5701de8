package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What a node was refused while the API server was not itself must not keep a pod from running for good.
func TestPodsRunAfterAnOutage(t *testing.T) {
	l := Start(t)
	binding := l.Kubectl(t, "", "get", "clusterrolebinding", "kwok", "-o", "json")
	l.Kubectl(t, "", "delete", "clusterrolebinding", "kwok")
	pod := &core.Pod{
		ObjectMeta: meta.ObjectMeta{Name: "late"},
		Spec:       core.PodSpec{Containers: []core.Container{{Name: "late", Image: "late"}}},
	}
	if _, err := l.Client.CoreV1().Pods("default").Create(t.Context(), pod, meta.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	Eventually(t, "a stage that kwok gives up", func() bool {
		log, err := os.ReadFile(filepath.Join(l.dir, "log", "kwok.log"))
		return err == nil && strings.Contains(string(log), "failed to apply stage")
	})
	l.Kubectl(t, binding, "create", "-f", "-")
	l.Order(t, "pause kube-apiserver")
	l.Order(t, "resume kube-apiserver")
	Eventually(t, "the pod runs", func() bool {
		pod, err := l.Client.CoreV1().Pods("default").Get(t.Context(), "late", meta.GetOptions{})
		return err == nil && pod.Status.Phase == core.PodRunning
	})
}
