package notify

import (
	"os"
	"regexp"
	"testing"
)

// Whoever is told "want it as in" types just that.
func TestEachExampleInAMessageIsOneThatIsTaken(t *testing.T) {
	for name, kind := range known {
		if _, err := read(kind.example); err != nil {
			t.Errorf("%s: %s is refused: %v", name, kind.example, err)
		}
	}
}

func TestTheURLsOfTheREADMEAreTaken(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	urls := regexp.MustCompile(`\{name: \S+, url: "([^"]+)"`).FindAllStringSubmatch(string(text), -1)
	for _, url := range urls {
		if _, err := read(url[1]); err != nil {
			t.Errorf("%s is refused: %v", url[1], err)
		}
	}
	if len(urls) < 2 {
		t.Errorf("the README has %d URLs, want 2 or more", len(urls))
	}
}
