package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// effectiveName is the ConfigMap in which Caprice says what it really does.
const effectiveName = "caprice-effective"

// ErrUnpublished is the error of a namespace in which no Caprice has said what it does.
var ErrUnpublished = errors.New("no ConfigMap")

// Publish writes what Caprice does into its ConfigMap, in place of what it said there before. The ConfigMap goes with its
// owner, if that is known.
func (c *Client) Publish(ctx context.Context, data map[string]string, owner *core.ObjectReference) error {
	object := core.ConfigMap{
		TypeMeta:   meta.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: meta.ObjectMeta{Name: effectiveName, Labels: map[string]string{"app.kubernetes.io/name": "caprice"}},
		Data:       data,
	}
	if owner != nil {
		object.OwnerReferences = []meta.OwnerReference{{APIVersion: owner.APIVersion, Kind: owner.Kind, Name: owner.Name, UID: owner.UID}}
	}
	patch, err := json.Marshal(object)
	if err != nil {
		return err
	}
	force := true
	_, err = c.groups.configMaps(c.Namespace).Patch(ctx, effectiveName, types.ApplyPatchType, patch, meta.PatchOptions{FieldManager: "caprice", Force: &force})
	if err != nil {
		return fmt.Errorf("publishing the configuration, ConfigMap %s in namespace %s: %w", effectiveName, c.Namespace, err)
	}
	return nil
}

// Effective returns what Caprice last published in the client's namespace, or an error that is ErrUnpublished if there is nothing.
func (c *Client) Effective(ctx context.Context) (map[string]string, error) {
	o, err := c.groups.configMaps(c.Namespace).Get(ctx, effectiveName, meta.GetOptions{})
	if Absent(err) {
		return nil, fmt.Errorf("%w %s in namespace %s: want the namespace in which Caprice runs, by --release-namespace; if that is it, Caprice has never been ready there, and its log and /readyz say why", ErrUnpublished, effectiveName, c.Namespace)
	}
	if err != nil {
		return nil, fmt.Errorf("reading ConfigMap %s in namespace %s: %w", effectiveName, c.Namespace, err)
	}
	return o.Data, nil
}
