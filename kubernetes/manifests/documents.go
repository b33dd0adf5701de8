package manifests

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"k8s.io/apimachinery/pkg/util/yaml"
)

// document is one of the documents that a file has.
type document struct {
	where string // file and number
	text  []byte
	json  bool // otherwise YAML
}

// readDocuments reads files, folders and standard input, in the order of the paths and of names in a folder.
func readDocuments(paths []string, stdin io.Reader) (all []document, err error) {
	for _, name := range paths {
		before := len(all)
		if name == "" {
			return nil, errors.New("a path is empty: want a file, a folder, or - for standard input")
		}
		if name == "-" {
			name = "standard input"
			if all, err = split(all, name, stdin); err != nil {
				return nil, err
			}
		} else if all, err = readFiles(all, name); err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(all[before:], document.says) {
			return nil, fmt.Errorf("%s: want a YAML or JSON document in it, there is none", name)
		}
	}
	return all, nil
}

// says tells whether there is anything in it: what a template that failed leaves behind is not nothing wrong.
func (d document) says() bool {
	for line := range bytes.Lines(d.text) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' && string(line) != "---" {
			return true
		}
	}
	return false
}

// readFiles appends the documents of a file, or of a folder.
func readFiles(all []document, name string) ([]document, error) {
	files, err := filesOf(name)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		if all, err = readFile(all, file); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// filesOf returns the file itself, or all files of a folder that may be manifests.
func filesOf(name string) (files []string, err error) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: want a file or folder with manifests, or - for standard input: no such file or directory", name)
	case err != nil || !info.IsDir():
		return []string{name}, err
	}
	err = fs.WalkDir(os.DirFS(name), ".", func(file string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(file)) {
			files = append(files, filepath.Join(name, file))
		}
		return err
	})
	if err == nil && files == nil {
		err = fmt.Errorf("folder %s: want files named *.yaml, *.yml or *.json in it", name)
	}
	return files, err
}

func readFile(all []document, name string) ([]document, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close() // it is read only
	return split(all, name, file)
}

// split appends the documents of one file: what --- separates in YAML, and JSON values one after another.
func split(all []document, name string, from io.Reader) ([]document, error) {
	number := 0
	next := func() string { number++; return fmt.Sprintf("%s, document %d", name, number) }
	for reader := yaml.NewYAMLReader(bufio.NewReader(from)); ; {
		text, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", next(), err)
		}
		values := jsonValues(text)
		for _, value := range values {
			all = append(all, document{next(), value, true})
		}
		if values == nil {
			all = append(all, document{next(), text, false})
		}
	}
}

// jsonValues returns the JSON objects that follow each other in text, or nil if it is anything else.
func jsonValues(text []byte) (values []json.RawMessage) {
	if !yaml.IsJSONBuffer(text) {
		return nil
	}
	for reader := json.NewDecoder(bytes.NewReader(text)); ; {
		var value json.RawMessage
		switch err := reader.Decode(&value); {
		case errors.Is(err, io.EOF):
			return values
		case err != nil:
			return nil // braces are YAML as well
		}
		values = append(values, value)
	}
}
