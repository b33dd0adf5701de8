package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"caprice/api/v1alpha1"
	"caprice/chaos"
)

// Records keeps the records of kills as objects of kind Kill. It is a chaos.Records.
type Records struct {
	Client *Client
	Scope  Scope
	Holder string // this process
}

// Claim creates the record. Of two that do, the API server takes one.
func (r *Records) Claim(ctx context.Context, record chaos.Record) error {
	kill := newKill(record, r.Holder)
	_, err := r.Client.Kills(kill.Namespace).Create(ctx, kill, meta.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return r.ours(ctx, kill)
	}
	return unwritable(err)
}

// ours returns nil if the record that is there is this attempt's: then only the answer to its creation was lost.
func (r *Records) ours(ctx context.Context, kill *v1alpha1.Kill) error {
	there, err := r.Client.Kills(kill.Namespace).Get(ctx, kill.Name, meta.GetOptions{})
	switch {
	case err != nil:
		return unwritable(err)
	case there.Spec.Nonce != kill.Spec.Nonce || there.Status.Phase == v1alpha1.Ended:
		return chaos.ErrTaken
	}
	return nil
}

// Settle writes the status of a kill, and the record as well unless it was claimed.
func (r *Records) Settle(ctx context.Context, o chaos.Outcome) error {
	kill := newKill(o.Record, r.Holder)
	if !o.Claimed {
		if err := r.Claim(ctx, o.Record); err != nil {
			return err
		}
	}
	patch, err := json.Marshal(map[string]any{"status": newStatus(o)})
	if err != nil {
		return err
	}
	_, err = r.Client.Kills(kill.Namespace).Patch(ctx, kill.Name, types.MergePatchType, patch, meta.PatchOptions{}, "status")
	if apierrors.IsInvalid(err) {
		return chaos.ErrTaken // it has ended, and then its status never changes
	}
	return unwritable(err)
}

// unwritable marks the errors after which a record cannot be written: its namespace is gone or about to be, or has no room.
// All others may pass.
func unwritable(err error) error {
	full := apierrors.IsForbidden(err) && (apierrors.HasStatusCause(err, core.NamespaceTerminatingCause) || exceedsQuota(err))
	if full || apierrors.IsNotFound(err) || apierrors.IsInvalid(err) || apierrors.IsRequestEntityTooLargeError(err) {
		return &chaos.Refusal{Err: err}
	}
	return err
}

// Known returns the kills that have not ended, and all of the last two days.
func (r *Records) Known(ctx context.Context) ([]chaos.Outcome, error) {
	var known []chaos.Outcome
	recent := time.Now().Add(-48 * time.Hour)
	err := r.each(ctx, func(kill *v1alpha1.Kill) error {
		if kill.Status.Phase != v1alpha1.Ended || kill.Spec.Planned.After(recent) {
			known = append(known, outcomeOf(kill))
		}
		return nil
	})
	return known, err
}

// Trim deletes the records of kills that ended and were planned before the given time, unless somebody has yet to look at
// them. It returns how many.
func (r *Records) Trim(ctx context.Context, before time.Time) (int, error) {
	trimmed := 0
	err := r.each(ctx, func(kill *v1alpha1.Kill) error {
		if kill.Status.Phase != v1alpha1.Ended || !kill.Spec.Planned.Time.Before(before) || kill.Status.Verdict == v1alpha1.Verdict(chaos.NotRecovered) {
			return nil
		}
		uid := kill.UID
		err := r.Client.Kills(kill.Namespace).Delete(ctx, kill.Name, meta.DeleteOptions{Preconditions: &meta.Preconditions{UID: &uid}})
		if err == nil {
			trimmed++
		}
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	})
	return trimmed, err
}

// each calls do for all records of the scope, page by page.
func (r *Records) each(ctx context.Context, do func(*v1alpha1.Kill) error) error {
	for _, namespace := range r.Scope.within() {
		for options := (meta.ListOptions{Limit: 500}); ; {
			page, err := r.Client.Kills(namespace).List(ctx, options)
			if err != nil {
				return fmt.Errorf("listing kills: %w", err)
			}
			for i := range page.Items {
				if kill := &page.Items[i]; r.Scope.Contains(kill.Namespace) {
					if err := do(kill); err != nil {
						return err
					}
				}
			}
			if options.Continue = page.Continue; options.Continue == "" {
				break
			}
		}
	}
	return nil
}

// exceedsQuota tells whether a ResourceQuota leaves no room. The API server says so in words alone.
func exceedsQuota(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && quotaMessage.MatchString(status.Status().Message)
}
