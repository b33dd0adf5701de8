package kubernetes

import (
	"fmt"
	"testing"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestWhatAWatchSeesIsPassedOnAndWhatGoesUnseenToo(t *testing.T) {
	var told []string
	s := &sightings{
		set:  func(o *meta.PartialObjectMetadata) { told = append(told, "+"+o.Name+"/"+string(o.UID)) },
		drop: func(o *meta.PartialObjectMetadata) { told = append(told, "-"+o.Name+"/"+string(o.UID)) },
	}
	object := func(name, uid string) any {
		return &meta.PartialObjectMetadata{ObjectMeta: meta.ObjectMeta{Name: name, UID: types.UID(uid)}}
	}
	for _, test := range []struct {
		why  string
		do   func() error
		want string
	}{
		{"what comes before it is known what there was", func() error { return s.Add(object("early", "0")) }, "[+early/0]"},
		{"all that there is", func() error {
			return s.Replace([]any{object("early", "0"), object("web", "1"), object("api", "2")}, "7")
		}, "[+early/0 +web/1 +api/2]"},
		{"one changes", func() error { return s.Update(object("web", "1")) }, "[+web/1]"},
		{"one comes", func() error { return s.Add(object("db", "3")) }, "[+db/3]"},
		{"one goes", func() error { return s.Delete(object("api", "2")) }, "[-api/2]"},
		{"one was made anew unseen: it goes first", func() error {
			return s.Replace([]any{object("early", "0"), object("web", "4"), object("db", "3")}, "9")
		}, "[-web/1 +early/0 +web/4 +db/3]"},
		{"all go unseen", func() error { return s.Replace([]any{object("web", "4")}, "11") }, "[-db/3 -early/0 +web/4]"},
	} {
		told = nil
		complete := s.complete.Load()
		if err := test.do(); err != nil {
			t.Fatalf("%s: %v", test.why, err)
		}
		if got := fmt.Sprint(told); got != test.want {
			t.Errorf("%s: told %s, want %s", test.why, got, test.want)
		}
		if test.why == "what comes before it is known what there was" && (complete || s.complete.Load()) {
			t.Error("it is complete before all that there is was told")
		}
	}
	if !s.complete.Load() {
		t.Error("it is not complete after all that there is was told")
	}
	if err := s.Add("a word"); err == nil {
		t.Error("what has no metadata is taken")
	}
}
