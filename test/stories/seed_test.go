package stories

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"sync"
	"testing"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/chaos"
	"caprice/kubernetes"
	"caprice/test/lab"
)

func TestStartsAtOnceAgreeOnTheSeed(t *testing.T) {
	l := lab.Start(t)
	t.Setenv("KUBECONFIG", install(t, l)) // so that this one cannot be parallel
	client, err := kubernetes.Connect(t.Context(), "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	var starts sync.WaitGroup
	seeds, errs := make([]chaos.Seed, 16), make([]error, 16)
	for i := range seeds {
		starts.Go(func() { seeds[i], errs[i] = client.Seed(context.Background()) })
	}
	starts.Wait()
	for i := range seeds {
		if errs[i] != nil || seeds[i] != seeds[0] || seeds[i] == (chaos.Seed{}) {
			t.Errorf("start %d has %s, %v; the first has %s", i, seeds[i].PlanKey(), errs[i], seeds[0].PlanKey())
		}
	}
}

func TestTheSeedIsNeverPrinted(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	account := install(t, l)
	build(t, l)
	c := start(t, account)
	lab.Eventually(t, "a rehearsal", func() bool { return c.logged("verdict=Rehearsed") >= 1 && c.logged("configuration published") == 1 })
	said := command(t, l.Kubeconfig, "plan", "-o", "json") + command(t, l.Kubeconfig, "status") +
		l.Kubectl(t, "", "get", "events,configmaps", "-A", "-o", "yaml")
	c.stop(t)
	secret, err := l.Client.CoreV1().Secrets("caprice").Get(t.Context(), "caprice-seed", meta.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	seed := secret.Data["seed"]
	for _, text := range []string{string(seed), hex.EncodeToString(seed), base64.StdEncoding.EncodeToString(seed)} {
		if c.logged(text) > 0 || strings.Contains(said, text) {
			t.Errorf("the seed is told, as %q", text)
		}
	}
}
