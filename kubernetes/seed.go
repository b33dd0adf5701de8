package kubernetes

import (
	"context"
	"crypto/rand"
	"fmt"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/chaos"
)

const (
	seedSecret = "caprice-seed"
	seedKey    = "seed"
)

// Seed returns the seed of the plan from its Secret, which it creates with random bytes if there is none. Of two that
// create it at once, both get the one that was first.
func (c *Client) Seed(ctx context.Context) (chaos.Seed, error) {
	seed, err := c.ReadSeed(ctx)
	if !Absent(err) {
		return seed, err
	}
	_, _ = rand.Read(seed[:]) // never fails
	_, err = c.groups.secrets(c.Namespace).Create(ctx, &core.Secret{
		ObjectMeta: meta.ObjectMeta{Name: seedSecret, Labels: map[string]string{"app.kubernetes.io/name": "caprice"}},
		Data:       map[string][]byte{seedKey: seed[:]},
	}, meta.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return c.ReadSeed(ctx)
	}
	if err != nil {
		return chaos.Seed{}, fmt.Errorf("creating the seed, Secret %s in namespace %s: %w", seedSecret, c.Namespace, err)
	}
	return seed, nil
}

// ReadSeed returns the seed of the plan from its Secret.
func (c *Client) ReadSeed(ctx context.Context) (chaos.Seed, error) {
	secret, err := c.groups.secrets(c.Namespace).Get(ctx, seedSecret, meta.GetOptions{})
	if err != nil {
		return chaos.Seed{}, fmt.Errorf("the seed, Secret %s in namespace %s: %w", seedSecret, c.Namespace, err)
	}
	data := secret.Data[seedKey]
	if len(data) != len(chaos.Seed{}) {
		return chaos.Seed{}, fmt.Errorf("the seed, Secret %s in namespace %s: key %s has %d bytes, want 32; delete the Secret to get a new seed", seedSecret, c.Namespace, seedKey, len(data))
	}
	return chaos.Seed(data), nil
}
