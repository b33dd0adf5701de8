package stories

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"caprice/api/v1alpha1"
	"caprice/kubernetes"
	"caprice/test/lab"
)

func TestARecordIsTakenOnceAndItsSpecNeverChanges(t *testing.T) {
	l := lab.Start(t)
	t.Setenv("KUBECONFIG", install(t, l))
	client, err := kubernetes.Connect(t.Context(), "story", nil)
	if err != nil {
		t.Fatal(err)
	}
	planned := time.Now().Truncate(time.Millisecond)
	kill := &v1alpha1.Kill{
		ObjectMeta: meta.ObjectMeta{Name: v1alpha1.Name("uid", planned), Labels: map[string]string{v1alpha1.DateLabel: "2026-03-04"}},
		Spec: v1alpha1.KillSpec{
			Workload: v1alpha1.Workload{Kind: "Deployment", Name: "web", UID: "uid"},
			Planned:  meta.NewMicroTime(planned), ActBefore: meta.NewMicroTime(planned.Add(time.Minute)), Date: "2026-03-04",
			Mode: "fixed", Method: "delete", Count: 1, Targets: []v1alpha1.Target{{Name: "web-1", UID: "1"}}, Holder: "story", Nonce: "1",
		},
	}
	kills := client.Kills("default")
	created, err := kills.Create(t.Context(), kill, meta.CreateOptions{})
	if err != nil || !created.Spec.Planned.Time.Equal(planned) {
		t.Fatalf("created = %+v, %v, want it planned for %s", created, err, planned)
	}
	if _, err := kills.Create(t.Context(), kill, meta.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
		t.Errorf("a second record of the same kill: %v, want that it already exists", err)
	}
	_, err = l.Cluster.Kubectl(t.Context(), "", "patch", "kill", kill.Name, "-n", "default", "--type=merge", "-p", `{"spec":{"targets":null}}`)
	answered(t, "a change of its spec", err, "the spec of a kill never changes")

	settle := func(verdict string) error {
		patch := []byte(`{"status":{"phase":"Ended","verdict":"` + verdict + `","recovery":"1.5s"}}`)
		_, err := kills.Patch(t.Context(), kill.Name, types.MergePatchType, patch, meta.PatchOptions{}, "status")
		return err
	}
	if err := settle("Recovered"); err != nil {
		t.Error(err)
	}
	if err := settle("Abandoned"); !apierrors.IsInvalid(err) {
		t.Errorf("a second verdict: %v, want it refused", err)
	}
	// Whose clock was set back meanwhile says that it took less than no time, and is heard.
	back := kill.DeepCopy()
	back.Name = v1alpha1.Name("uid", planned.Add(time.Second))
	if _, err := kills.Create(t.Context(), back, meta.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	ended := []byte(`{"status":{"phase":"Ended","verdict":"Recovered","recovery":"-1.5s","probes":[{"hypothesis":"h","probe":"p","met":true,"worst":"1","samples":1,"wrongFor":"-20ms"}]}}`)
	if _, err := kills.Patch(t.Context(), back.Name, types.MergePatchType, ended, meta.PatchOptions{}, "status"); err != nil {
		t.Errorf("a recovery by a clock that was set back: %v", err)
	}
	if err := kills.Delete(t.Context(), back.Name, meta.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	for what, status := range map[string]string{"that it has none": `null`, "that it has not ended": `{"phase":"Executed","verdict":null}`} {
		_, err := kills.Patch(t.Context(), kill.Name, types.MergePatchType, []byte(`{"status":`+status+`}`), meta.PatchOptions{}, "status")
		answered(t, "a status "+what, err, "a kill that has ended stays as it is")
	}
	const asked = `{"apiVersion": "caprice.chaos/v1alpha1", "kind": "Kill", "metadata": {"generateName": "kill-"}, "spec": {"workload": {"kind": "Deployment", "name": "a", "uid": "u"}, "count": 0, "planned": "%s", "request": {"by": "kubernetes-admin"}}}`
	// What the API server takes for a time, and nobody else can read, would hide all records and halts.
	for object, wrong := range map[string][]string{
		`{"apiVersion": "caprice.chaos/v1alpha1", "kind": "Halt", "metadata": {"generateName": "halt-"}, "spec": {"reason": "r", "until": "%s"}}`: {
			"2026-03-04t00:00:00z", "2026-03-04T00:00:00Ztomorrow", "2026-03-04T25:61:61Z", "2026-03-04T00:00:00+99:99"},
		asked: {
			"2026-03-04T10:15:00Z", "2026-03-04T10:15:00.000Z", "2026-03-04T10:15:60.000000Z"},
		`{"apiVersion": "caprice.chaos/v1alpha1", "kind": "Kill", "metadata": {"generateName": "kill-"}, "spec": {"workload": {"kind": "Deployment", "name": "a", "uid": "u"}, "count": 0, "planned": "2026-03-04T10:15:00.000000Z", "recoveryDeadline": "%s", "request": {"by": "kubernetes-admin"}}}`: {
			"soon", "999999999999h", "-1m", ""},
	} {
		for _, text := range wrong {
			_, err := l.Cluster.Kubectl(t.Context(), fmt.Sprintf(object, text), "create", "-f", "-")
			answered(t, text, err, "should match")
		}
	}
	// Of a kill at one of these no record could be written, and whoever asks for it would never be answered.
	for _, text := range []string{"0000-01-01T00:00:00.000000Z", "0001-01-01T00:00:00.000000Z", "1970-01-01T00:00:00.000000+00:01", "8999-12-31T23:59:59.999999-00:01", "9999-12-31T23:59:59.000000Z"} {
		_, err := l.Cluster.Kubectl(t.Context(), fmt.Sprintf(asked, text), "create", "-f", "-")
		answered(t, text, err, "want an instant from 1970 to 8999")
	}
	everywhere, err := client.Kills(meta.NamespaceAll).List(t.Context(), meta.ListOptions{LabelSelector: v1alpha1.DateLabel + "=2026-03-04"})
	if err != nil || len(everywhere.Items) != 1 || everywhere.Items[0].Status.Verdict != "Recovered" {
		t.Errorf("kills of the day = %+v, %v, want the one that recovered", everywhere, err)
	}
	halts, err := client.Halts("caprice").List(t.Context(), meta.ListOptions{})
	if err != nil || len(halts.Items) != 0 {
		t.Errorf("halts = %+v, %v, want none", halts, err)
	}

	l.Helm(t, "uninstall", "caprice", "-n", "caprice", "--wait")
	if table := l.Kubectl(t, "", "get", "kills", "-A"); !strings.Contains(table, "web") || !strings.Contains(table, "Recovered") || !strings.Contains(table, "1.5s") {
		t.Errorf("after an uninstall, kills are\n%s\nwant the record", table)
	}
}

func TestTheChartHasTheDefinitionsAsTheyAreGenerated(t *testing.T) {
	render := func(set string) string {
		out, err := lab.HelmCommand(t.Context(), "", t.TempDir(), "template", "helm/caprice", "--set", set).Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	paths, err := filepath.Glob(filepath.Join(lab.Root(), "helm", "caprice", "files", "crds", "*.yaml"))
	if err != nil || len(paths) != 3 {
		t.Fatalf("definitions = %v, %v, want three", paths, err)
	}
	with, without := render("crds.install=true"), render("crds.install=false")
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		definition := strings.TrimPrefix(string(text), "---\n")
		if !strings.Contains(with, definition) || strings.Contains(without, definition) {
			t.Errorf("%s is in the chart: %t with crds.install, %t without", path, strings.Contains(with, definition), strings.Contains(without, definition))
		}
	}
}
