package kubernetes

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	policy "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/chaos"
	"caprice/victims"
)

func TestWhatARemovalIsRefusedFor(t *testing.T) {
	for _, test := range []struct {
		why     string
		method  victims.Method
		code    int
		message string
		denied  bool // there is no right to it
		noted   bool // permissions are to be looked at
		want    string
	}{
		{"no right to evict", victims.Evict, 403, `pods "web-1" is forbidden: User "caprice" cannot create resource "pods/eviction" in API group "" in the namespace "shop"`, true, true, "want rbac.evict true in the chart's values: "},
		{"no right to delete", victims.Delete, 403, `pods "web-1" is forbidden: User "caprice" cannot delete resource "pods" in API group "" in the namespace "shop"`, true, true, "cannot delete resource"},
		{"a webhook says no to this pod", victims.Evict, 403, `admission webhook "guard" denied the request`, false, true, "denied the request"},
		{"one that fails says as much as the API server", victims.Delete, 400, `admission webhook "guard" failed: cannot delete resource "pods"`, false, false, "cannot delete resource"},
		{"the pod is another by now", victims.Delete, 409, "the UID in the precondition does not match", false, false, "precondition"},
	} {
		t.Run(test.why, func(t *testing.T) {
			client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(test.code)
				reason := map[int]meta.StatusReason{403: meta.StatusReasonForbidden, 409: meta.StatusReasonConflict}[test.code]
				_ = json.NewEncoder(w).Encode(meta.Status{TypeMeta: meta.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: meta.StatusFailure, Reason: reason, Message: test.message, Code: int32(test.code)})
			}))
			err := (&Cluster{Client: client}).Remove(t.Context(), victims.Pod{Namespace: "shop", Name: "web-1", UID: "1"}, chaos.Removal{Method: test.method})
			var refusal *chaos.Refusal
			if !errors.As(err, &refusal) || errors.Is(err, chaos.ErrDenied) != test.denied || !strings.Contains(err.Error(), test.want) || apierrors.IsForbidden(err) != (test.code == 403) {
				t.Errorf("%v, a denial: %v; want a refusal that says %q, a denial: %v", err, errors.Is(err, chaos.ErrDenied), test.want, test.denied)
			}
			select {
			case <-client.Refused():
				if !test.noted {
					t.Error("it is noted as refused")
				}
			default:
				if test.noted {
					t.Error("it is not noted as refused")
				}
			}
		})
	}
}

func TestAnEvictionThatABudgetForbidsIsVetoed(t *testing.T) {
	for code, reason := range map[int]meta.StatusReason{http.StatusTooManyRequests: meta.StatusReasonTooManyRequests, http.StatusForbidden: meta.StatusReasonForbidden} {
		client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			_ = json.NewEncoder(w).Encode(meta.Status{
				TypeMeta: meta.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: meta.StatusFailure, Reason: reason, Message: "it would violate the pod's disruption budget", Code: int32(code),
				Details: &meta.StatusDetails{Causes: []meta.StatusCause{{Type: policy.DisruptionBudgetCause}}},
			})
		}))
		err := (&Cluster{Client: client}).Remove(t.Context(), victims.Pod{Namespace: "shop", Name: "web-1", UID: "1"}, chaos.Removal{Method: victims.Evict})
		var veto *chaos.Veto
		if !errors.As(err, &veto) || veto.Reason != chaos.Disruption {
			t.Errorf("answered %d: %v, want a veto for Disruption", code, err)
		}
	}
}

func TestWhatMayPassIsNoRefusal(t *testing.T) {
	for code, final := range map[int32]bool{
		http.StatusBadRequest: true, http.StatusForbidden: true, http.StatusNotFound: true, http.StatusConflict: true, http.StatusUnprocessableEntity: true,
		http.StatusUnauthorized: false, http.StatusRequestTimeout: false, http.StatusGone: false, http.StatusTooManyRequests: false, http.StatusInternalServerError: false, http.StatusGatewayTimeout: false,
	} {
		var refused *chaos.Refusal
		err := Refusal(&apierrors.StatusError{ErrStatus: meta.Status{Code: code}})
		if errors.As(err, &refused) != final {
			t.Errorf("code %d is final: %v, want %v", code, !final, final)
		}
	}
}

func TestARightToReadThatIsMissingMayBeThereSoon(t *testing.T) {
	for _, test := range []struct {
		why     string
		says    string
		unknown bool
	}{
		{"a right to watch", `deployments.apps is forbidden: User "caprice" cannot watch resource "deployments" in API group "apps" in the namespace "shop"`, true},
		{"a right to get", `namespaces "shop" is forbidden: User "caprice" cannot get resource "namespaces" in API group ""`, true},
		{"a right to list", `pods is forbidden: User "caprice" cannot list resource "pods" in API group ""`, true},
		{"a policy", `deployments "web" is forbidden: ValidatingAdmissionPolicy 'quiet' denied request: no`, false},
	} {
		var unknown *chaos.Unknown
		var refusal *chaos.Refusal
		err := Unreadable(&apierrors.StatusError{ErrStatus: meta.Status{Code: http.StatusForbidden, Reason: meta.StatusReasonForbidden, Message: test.says}})
		if errors.As(err, &unknown) != test.unknown || errors.As(err, &refusal) == test.unknown || unknown != nil && (unknown.Reason != chaos.Halted || !strings.Contains(unknown.Message, "want a role that grants it")) {
			t.Errorf("for want of %s: %v, want that it may be there soon: %v", test.why, err, test.unknown)
		}
	}
	if err := Unreadable(nil); err != nil {
		t.Errorf("of no error: %v", err)
	}
}

func TestARemovalThatIsTurnedAwayIsNotDoneLate(t *testing.T) {
	for why, turnAway := range map[string]http.HandlerFunc{
		"nobody knows its credentials": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Unauthorized", "code": 401}`))
		},
		"the API server has too much to do": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "Too many requests, please try again later.", http.StatusTooManyRequests) // its own words
		},
	} {
		var refusal *chaos.Refusal
		if err := (&Cluster{Client: serve(t, turnAway)}).Remove(t.Context(), victims.Pod{Namespace: "shop", Name: "web-1", UID: "1"}, chaos.Removal{}); !errors.As(err, &refusal) {
			t.Errorf("%s: %v, want it to be refused for good", why, err)
		}
	}
}
