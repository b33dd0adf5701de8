package kubernetes

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/api/v1alpha1"
	"caprice/chaos"
)

// Refusal marks an error of the API server's that asking again does not change, as a *chaos.Refusal. One that does not know the
// credentials is none: with those that are read anew it may.
func Refusal(err error) error {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || Unsaid(err) {
		return err
	}
	switch code := status.Status().Code; {
	case code == http.StatusUnauthorized, code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code < 400, code >= 500, code == http.StatusGone:
		return err
	}
	return &chaos.Refusal{Err: err}
}

// Unreadable is Refusal for what a kill reads before it strikes: for want of a right the error is a *chaos.Unknown that spares as Halted. An API
// server that has just started says so too, until it knows the roles that there are.
func Unreadable(err error) error {
	if apierrors.IsForbidden(err) && !Unsaid(err) && deniedReading.MatchString(err.Error()) {
		return &chaos.Unknown{Veto: chaos.Veto{Reason: chaos.Halted, Message: Plain(err).Error()}}
	}
	return Refusal(err)
}

// deniedReading is in what an API server says to those who lack a right to read: it says so in words alone.
var deniedReading = regexp.MustCompile(`cannot (get|list|watch) resource`)

var errUndefined = errors.New("the cluster has no definitions of kills, halts and hypotheses: want templates/crds.yaml of the chart applied")

// Plain says in the words of Caprice what an API server's error means to people.
func Plain(err error) error {
	var status apierrors.APIStatus
	switch {
	case err == nil || !errors.As(err, &status):
		return err
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%w: want a role that grants it", err)
	case undefined(err):
		return errUndefined
	case Unsaid(err):
		return fmt.Errorf("what answers is no API server, or none that knows of this: %w", err)
	}
	return err
}

// undefined tells whether the API server does not know kills, halts or hypotheses at all, rather than not the one of that name.
func undefined(err error) bool {
	var status apierrors.APIStatus
	return apierrors.IsNotFound(err) && Unsaid(err) &&
		errors.As(err, &status) && status.Status().Details.Group == v1alpha1.GroupVersion.Group
}

// Unsaid tells whether an error is of an answer that says no, and is no API server's word on an object: what stands between has written
// it, as a load balancer whose API server restarts does, or it is on a kind that the cluster does not know. That it has too much to do
// an API server says in such words too.
func Unsaid(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || !apierrors.HasStatusCause(err, meta.CauseTypeUnexpectedServerResponse) {
		return false
	}
	code := status.Status().Code
	return code < 500 && code != http.StatusTooManyRequests && code != http.StatusRequestTimeout
}

// Absent tells whether an API server says that it has no object of that name.
func Absent(err error) bool { return apierrors.IsNotFound(err) && !Unsaid(err) }
