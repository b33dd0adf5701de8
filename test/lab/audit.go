package lab

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Removal is one request to delete or evict a pod, as the API server's audit log has it.
type Removal struct {
	At                   time.Time // when the API server received it
	User, Namespace, Pod string
	UID                  string // of the precondition
	Evicted, DryRun      bool
	Accepted             bool
	Unclear              bool // it may have been done: the API server failed, or whoever asked was gone before the answer
}

type auditLine struct {
	Stage                    string
	Verb                     string
	User                     struct{ Username string }
	UserAgent                string
	ObjectRef                struct{ Resource, Subresource, Namespace, Name string }
	ResponseStatus           struct{ Code int }
	RequestReceivedTimestamp time.Time
	StageTimestamp           time.Time
	RequestObject            struct {
		deleteOptions
		DeleteOptions deleteOptions
		Status        struct {
			AvailableReplicas int
			Conditions        []struct{ Type, Status string }
		}
	}
}

type deleteOptions struct {
	Preconditions struct{ UID string }
	DryRun        []string
}

// Requests returns how often people asked by the command line of Caprice for something without a name.
func (c *Cluster) Requests(verb, resource string) (n int, err error) {
	err = c.audit(func(a auditLine) {
		if strings.HasPrefix(a.UserAgent, "caprice/") && !strings.HasPrefix(a.User.Username, "system:serviceaccount:") && a.Stage == "ResponseComplete" && a.Verb == verb && a.ObjectRef.Resource == resource && a.ObjectRef.Name == "" {
			n++
		}
	})
	return n, err
}

// Removals returns all requests to remove a pod that people and programs made to the cluster, in their order; not those of
// its own controllers and kubelets.
func (c *Cluster) Removals() ([]Removal, error) {
	var removals []Removal
	err := c.audit(func(a auditLine) {
		evicted := a.Verb == "create" && a.ObjectRef.Subresource == "eviction"
		deleted := a.Verb == "delete" && a.ObjectRef.Subresource == ""
		own := a.User.Username == "kwok" || strings.HasPrefix(a.User.Username, "system:serviceaccount:kube-system:")
		if a.Stage != "ResponseComplete" || a.ObjectRef.Resource != "pods" || !evicted && !deleted || own {
			return
		}
		options := a.RequestObject.deleteOptions
		if evicted {
			options = a.RequestObject.DeleteOptions
		}
		removals = append(removals, Removal{
			At: a.RequestReceivedTimestamp, User: a.User.Username, Namespace: a.ObjectRef.Namespace, Pod: a.ObjectRef.Name,
			UID: options.Preconditions.UID, Evicted: evicted, DryRun: len(options.DryRun) > 0, Accepted: a.ResponseStatus.Code >= 200 && a.ResponseStatus.Code < 300,
			Unclear: a.ResponseStatus.Code < 200 || a.ResponseStatus.Code >= 500,
		})
	})
	return removals, err
}

// audit calls do for each line of the audit log.
func (c *Cluster) audit(do func(auditLine)) error {
	file, err := os.Open(filepath.Join(c.dir, "audit.log"))
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	return parse(file, do)
}

// parse calls do for each line of an audit log. An API server that was killed leaves half a line, and the next one goes on
// in the same line; of the last one the other half may not be written yet.
func parse(log io.Reader, do func(auditLine)) error {
	for lines := bufio.NewReader(log); ; {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		whole := line[max(0, bytes.LastIndex(line, []byte(`{"kind":"Event"`))):]
		var a auditLine
		if err := json.Unmarshal(whole, &a); err != nil {
			return fmt.Errorf("audit log: %w: %s", err, line)
		}
		do(a)
	}
}

// Change is a step in the life of a pod or a Deployment, as the API server's audit log has it.
type Change struct {
	Asked, At       time.Time // when the API server received it, and when it had answered; it was made in between
	Namespace, Name string
	Pod             bool // otherwise it is a Deployment
	Ready, Gone     bool // of a pod: it became Ready, or was gone
	Available       int  // replicas of a Deployment
}

// Changes returns when pods became Ready and were gone and what the status of Deployments said, in their order.
func (c *Cluster) Changes() ([]Change, error) {
	var changes []Change
	err := c.audit(func(a auditLine) {
		ref, status := a.ObjectRef, a.RequestObject.Status
		change := Change{Asked: a.RequestReceivedTimestamp, At: a.StageTimestamp, Namespace: ref.Namespace, Name: ref.Name, Pod: ref.Resource == "pods", Available: status.AvailableReplicas}
		for _, c := range status.Conditions {
			change.Ready = change.Ready || change.Pod && c.Type == "Ready" && c.Status == "True"
		}
		change.Gone = change.Pod && a.Verb == "delete" && a.User.Username == "kwok"
		told := ref.Subresource == "status" && (change.Ready || ref.Resource == "deployments")
		if a.Stage == "ResponseComplete" && a.ResponseStatus.Code == http.StatusOK && (change.Gone || told) {
			changes = append(changes, change)
		}
	})
	slices.SortStableFunc(changes, func(a, b Change) int { return a.At.Compare(b.At) })
	return changes, err
}
