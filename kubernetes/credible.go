package kubernetes

import (
	"fmt"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// credible decodes what an API server answers, and nothing else. To client-go any JSON object will do for a list that is
// empty, and whatever stands between may answer 200 and not mean it: then there would be no halt, and no budget.
type credible struct{ runtime.NegotiatedSerializer }

// DecoderToVersion returns a decoder for a version.
func (c credible) DecoderToVersion(decoder runtime.Decoder, version runtime.GroupVersioner) runtime.Decoder {
	return crediblyDecoded{c.NegotiatedSerializer.DecoderToVersion(decoder, version)}
}

type crediblyDecoded struct{ runtime.Decoder }

// Decode decodes an object. An error says that no API server has written it.
func (d crediblyDecoded) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	object, kind, err := d.Decoder.Decode(data, defaults, into)
	if err != nil {
		return object, kind, err
	}
	return object, kind, doubt(object, into)
}

// doubt returns why an answer is none of an API server's: it is of another kind than was asked for, or has no version, which
// each list and each object has that is kept. What is created in a dry run is not, and has a UID alone.
func doubt(object, into runtime.Object) error {
	status, isStatus := object.(*meta.Status)
	if isStatus && (into == nil || into == object || status.Status != meta.StatusSuccess) {
		return nil
	}
	if into != nil && object != into {
		return fmt.Errorf("the answer is a %T and no %T: want the API server's own", object, into)
	}
	version := true
	switch x := object.(type) {
	case meta.ListMetaAccessor:
		version = x.GetListMeta().GetResourceVersion() != ""
	case meta.ObjectMetaAccessor:
		version = x.GetObjectMeta().GetResourceVersion() != "" || x.GetObjectMeta().GetUID() != ""
	}
	if !version {
		return fmt.Errorf("the answer is a %T without a version: want the API server's own", object)
	}
	return nil
}
