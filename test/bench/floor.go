package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	client "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// floorCommand has this program be the bare loop, in a process of its own.
const floorCommand = "floor"

// deletion is what the bare loop is to do.
type deletion struct {
	At             time.Time
	Namespace, Pod string
	UID            types.UID
}

// used is what the bare loop used.
type used struct {
	CPU    time.Duration
	RSS    float64 // MiB, at its peak
	Failed int
	server time.Duration // CPU of the API server
}

// runFloor reads deletions from standard input, does each at its time, and writes what that took.
func runFloor() error {
	var deletions []deletion
	if err := json.NewDecoder(os.Stdin).Decode(&deletions); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	config.QPS, config.ContentType = -1, runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	c, err := client.NewForConfig(config)
	if err != nil {
		return err
	}
	before, err := cpu(os.Getpid())
	if err != nil {
		return err
	}
	errs := make([]error, len(deletions))
	var deleting sync.WaitGroup
	for i, d := range deletions {
		time.Sleep(time.Until(d.At))
		deleting.Go(func() {
			options := meta.DeleteOptions{Preconditions: &meta.Preconditions{UID: &d.UID}}
			errs[i] = c.CoreV1().Pods(d.Namespace).Delete(context.Background(), d.Pod, options)
		})
	}
	deleting.Wait()
	var u used
	for _, err := range errs {
		if err != nil {
			u.Failed++
		}
	}
	if u.CPU, err = cpu(os.Getpid()); err != nil {
		return err
	}
	u.CPU -= before
	if u.RSS, err = memory(os.Getpid(), "VmHWM"); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(u)
}

// floor has the bare loop delete a pod of each workload at the given distances from its start, and returns what that used and
// how late each deletion was.
func (s *stage) floor(ctx context.Context, gaps []time.Duration) (u used, late []time.Duration, err error) {
	list, err := s.client.CoreV1().Pods("").List(ctx, meta.ListOptions{FieldSelector: "status.phase=Running"})
	if err != nil {
		return u, nil, err
	}
	var deletions []deletion
	planned := map[string]time.Time{}
	begin, seen := time.Now().Add(2*time.Second), map[string]bool{}
	for i := range list.Items {
		p := &list.Items[i]
		if app := p.Labels["app"]; app == "" || seen[app] || p.DeletionTimestamp != nil || len(deletions) == len(gaps) {
			continue
		}
		seen[p.Labels["app"]] = true
		d := deletion{begin.Add(gaps[len(deletions)]), p.Namespace, p.Name, p.UID}
		deletions, planned[string(d.UID)] = append(deletions, d), d.At
	}
	order, err := json.Marshal(deletions)
	if err != nil {
		return u, nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return u, nil, err
	}
	cmd := exec.CommandContext(ctx, self, floorCommand)
	cmd.Env, cmd.Stdin, cmd.Stderr = append(os.Environ(), "KUBECONFIG="+s.account), bytes.NewReader(order), os.Stderr
	before, err := s.serverCPU()
	if err != nil {
		return u, nil, err
	}
	out, err := cmd.Output()
	if err != nil {
		return u, nil, fmt.Errorf("the bare loop: %w", err)
	}
	if err := json.Unmarshal(out, &u); err != nil {
		return u, nil, err
	}
	after, err := s.serverCPU()
	if err != nil {
		return u, nil, err
	}
	u.server = after - before
	if late, err = s.lateness(planned); err == nil && (u.Failed > 0 || len(late) < len(deletions)) {
		err = fmt.Errorf("%d deletions of the bare loop, %d failed, the audit log has %d", len(deletions), u.Failed, len(late))
	}
	return u, late, err
}
