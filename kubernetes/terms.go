package kubernetes

import (
	"strings"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"caprice/victims"
)

// metadataOf returns what Caprice reads of an object.
func metadataOf(o meta.Object) victims.Metadata {
	return victims.Metadata{Labels: ours(o.GetLabels()), Annotations: ours(o.GetAnnotations())}
}

// ours keeps what Caprice reads.
func ours(m map[string]string) map[string]string {
	var kept map[string]string
	for key, value := range m {
		if strings.HasPrefix(key, victims.Prefix) {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[key] = value
		}
	}
	return kept
}

// ReadTerms reads terms as victims does, and refuses a calendar that never opens.
func ReadTerms(workload, namespace victims.Metadata, defaults victims.Terms, from time.Time) (victims.Terms, error) {
	terms, err := victims.ReadTerms(workload, namespace, defaults)
	if err != nil {
		return terms, err
	}
	return terms, terms.Calendar.Check(from)
}
