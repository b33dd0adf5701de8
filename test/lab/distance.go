package lab

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

// Distance lies between programs and an API server: whatever either says takes a while to get to the other.
type Distance struct {
	// Kubeconfig is by which programs get to the API server that way.
	Kubeconfig string

	oneWay atomic.Int64 // a time.Duration
}

// Away returns a distance between the API server and whoever takes a kubeconfig, which is none to begin with, until the test ends.
func Away(t *testing.T, kubeconfig string) *Distance {
	t.Helper()
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	d := &Distance{Kubeconfig: kubeconfig + "-away"}
	if len(config.Clusters) != 1 {
		t.Fatalf("there are %d clusters in %s, want one", len(config.Clusters), kubeconfig)
	}
	for _, c := range config.Clusters {
		server, err := url.Parse(c.Server)
		if err != nil {
			t.Fatal(err)
		}
		go d.carry(listener, server.Host)
		c.Server = "https://" + listener.Addr().String()
	}
	if err := clientcmd.WriteToFile(*config, d.Kubeconfig); err != nil {
		t.Fatal(err)
	}
	return d
}

// Answers has each answer take so long.
func (d *Distance) Answers(take time.Duration) { d.oneWay.Store(int64(take / 2)) }

// carry passes on what comes in through a listener, and what is answered.
func (d *Distance) carry(listener net.Listener, server string) {
	for {
		from, err := listener.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", server)
		if err != nil {
			_ = from.Close()
			continue
		}
		go d.pass(from, to)
		go d.pass(to, from)
	}
}

// underWay is what was said, and when it gets there.
type underWay struct {
	text []byte
	at   time.Time
}

// pass passes on what one says to another until either ends.
func (d *Distance) pass(from io.ReadCloser, to io.WriteCloser) {
	defer func() { _, _ = from.Close(), to.Close() }()
	said := make(chan underWay, 1<<12)
	go func() {
		defer close(said)
		for text := make([]byte, 16<<10); ; {
			n, err := from.Read(text)
			if n > 0 {
				said <- underWay{bytes.Clone(text[:n]), time.Now().Add(time.Duration(d.oneWay.Load()))}
			}
			if err != nil {
				return
			}
		}
	}()
	for s := range said {
		time.Sleep(time.Until(s.at))
		if _, err := to.Write(s.text); err != nil {
			return
		}
	}
}
