package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"caprice/api/v1alpha1"
	"caprice/calendar"
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
	there, err := r.create(ctx, record)
	if err == nil && there.Status.Phase == v1alpha1.Ended {
		return chaos.ErrTaken
	}
	return err
}

// create creates the record, or returns the one that is there if it is this attempt's: then only the answer was lost.
func (r *Records) create(ctx context.Context, record chaos.Record) (*v1alpha1.Kill, error) {
	kill := newKill(record, r.Holder)
	kills := r.Client.Kills(kill.Namespace)
	there, err := kills.Create(ctx, kill, meta.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		if there, err = kills.Get(ctx, kill.Name, meta.GetOptions{}); err == nil && there.Spec.Nonce != kill.Spec.Nonce {
			return nil, chaos.ErrTaken
		}
	}
	return there, unwritable(err)
}

// Settle writes the status of a kill, and the record as well unless it was claimed. Written twice it stays the same.
func (r *Records) Settle(ctx context.Context, o chaos.Outcome) error {
	if !o.Claimed {
		if _, err := r.create(ctx, o.Record); err != nil {
			return err
		}
	}
	patch, err := json.Marshal(map[string]any{"status": newStatus(o)})
	if err != nil {
		return err
	}
	name := v1alpha1.Name(o.Workload.UID, o.Planned)
	_, err = r.Client.Kills(o.Workload.Namespace).Patch(ctx, name, types.MergePatchType, patch, meta.PatchOptions{}, "status")
	if apierrors.IsInvalid(err) {
		return chaos.ErrTaken // it has ended in another way, and then its status never changes
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

// Known returns the kills of the last two days, in whatever zone.
func (r *Records) Known(ctx context.Context) ([]chaos.Outcome, error) {
	today := calendar.Calendar{}.Date(time.Now())
	var dates []string
	for day := -3; day <= 1; day++ {
		dates = append(dates, today.Add(day).String())
	}
	var known []chaos.Outcome
	selector := fmt.Sprintf("%s in (%s)", v1alpha1.DateLabel, strings.Join(dates, ","))
	err := r.each(ctx, selector, func(kill *v1alpha1.Kill) error {
		known = append(known, outcomeOf(kill))
		return nil
	})
	return known, err
}

// Open returns all kills that have not ended.
func (r *Records) Open(ctx context.Context) ([]chaos.Outcome, error) {
	var open []chaos.Outcome
	err := r.each(ctx, "", func(kill *v1alpha1.Kill) error {
		if kill.Status.Phase != v1alpha1.Ended {
			open = append(open, outcomeOf(kill))
		}
		return nil
	})
	return open, err
}

// Trim deletes the records of kills that ended and were planned before the given time, unless somebody has yet to look at
// them. It returns how many.
func (r *Records) Trim(ctx context.Context, before time.Time) (int, error) {
	trimmed := 0
	err := r.each(ctx, "", func(kill *v1alpha1.Kill) error {
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

// each calls do for all records of the scope that a label selector takes, page by page.
func (r *Records) each(ctx context.Context, selector string, do func(*v1alpha1.Kill) error) error {
	for _, namespace := range r.Scope.within() {
		for options := (meta.ListOptions{Limit: 500, LabelSelector: selector}); ; {
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
