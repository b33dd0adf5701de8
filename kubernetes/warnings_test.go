package kubernetes

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestAWarningIsToldOnce(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = write
	defer func() { os.Stderr = stderr }()
	asked := 0
	client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Warning", `299 - "unknown field spec.holder"`)
		w.Header().Add("Warning", fmt.Sprintf(`299 - "this is number %d"`, asked%(mostWarnings+1)))
		asked++
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"kind": "Lease", "apiVersion": "coordination.k8s.io/v1", "metadata": {"name": "caprice", "namespace": "caprice", "resourceVersion": "1"}}`)
	}))
	for range mostWarnings + 1 {
		if _, err := client.Leases("caprice").Get(t.Context(), "caprice", meta.GetOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	_ = write.Close()
	told, err := io.ReadAll(read)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(told), "spec.holder"); n < 1 || n > 2 {
		t.Errorf("told %d times of a field that is unknown, want once, and once more where there were too many others:\n%s", n, told)
	}
	if n := strings.Count(string(told), "this is number"); n != asked {
		t.Errorf("told of %d of %d warnings that differ", n, asked)
	}
}
