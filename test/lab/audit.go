package lab

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
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

// Removals returns all requests to remove a pod that people and programs made to the cluster, in their order; not those of
// its own controllers and kubelets.
func (c *Cluster) Removals() ([]Removal, error) {
	file, err := os.Open(filepath.Join(c.dir, "audit.log"))
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
			UID: options.Preconditions.UID, Evicted: evicted, DryRun: len(options.DryRun) > 0, Accepted: a.ResponseStatus.Code >= 200 && a.ResponseStatus.Code < 300,
			Unclear: a.ResponseStatus.Code < 200 || a.ResponseStatus.Code >= 500,
		})
	}
}
