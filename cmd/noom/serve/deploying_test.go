package serve

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// blocks returns the ``` blocks of docs/deploying.md in that language.
func blocks(t *testing.T, language string) (list []string) {
	t.Helper()
	page, err := os.ReadFile("../../../docs/deploying.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		list = append(list, block[1])
	}
	if len(list) == 0 {
		t.Fatalf("docs/deploying.md has nothing in %s", language)
	}
	return list
}

// TestDeployingCommands: the flags in docs/deploying.md are flags that there are, together.
func TestDeployingCommands(t *testing.T) {
	commands := 0
	for _, block := range append(blocks(t, "sh"), blocks(t, "ini")...) {
		for line := range strings.Lines(block) {
			_, args, found := strings.Cut(line, "noom serve ")
			if !found {
				continue
			}
			commands++
			if _, err := parse(strings.Fields(args)); err != nil {
				t.Errorf("%s: %v", line, err)
			}
		}
	}
	if commands < 4 {
		t.Errorf("docs/deploying.md has only %d commands", commands)
	}
}

// TestDockerfile checks the Dockerfile in docs/deploying.md, which no test builds.
func TestDockerfile(t *testing.T) {
	gomod, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(gomod)[1]
	var stages, copied []string
	for line := range strings.Lines(blocks(t, "dockerfile")[0]) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "FROM":
			if words[1] != "scratch" && !strings.Contains(words[1], ":") || strings.HasSuffix(words[1], ":latest") {
				t.Errorf("%s has no version", words[1])
			}
			if len(words) == 4 && words[2] == "AS" {
				stages = append(stages, words[3])
			}
			if name, tag, _ := strings.Cut(words[1], ":"); name == "golang" && tag != string(version) {
				t.Errorf("it builds with Go %s, go.mod wants %s", tag, version)
			}
		case "COPY":
			if from, found := strings.CutPrefix(words[1], "--from="); found {
				if !slices.Contains(stages, from) {
					t.Errorf("there is no stage %q", from)
				}
				copied = append(copied, words[len(words)-1])
			}
		case "RUN":
			if built := words[len(words)-1]; strings.HasPrefix(built, "./") {
				if _, err := os.Stat("../../../" + built); err != nil {
					t.Error(err)
				}
			}
		case "ENTRYPOINT":
			var args []string
			if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "ENTRYPOINT")), &args); err != nil {
				t.Fatalf("ENTRYPOINT is no JSON: %v", err)
			}
			if !slices.Contains(copied, args[0]) {
				t.Errorf("%s is not in the image", args[0])
			}
			if len(args) < 2 || args[1] != "serve" {
				t.Fatalf("it runs %q", args)
			}
			if _, err := parse(args[2:]); err != nil {
				t.Error(err)
			}
		case "WORKDIR", "EXPOSE", "USER":
		default:
			t.Errorf("there is no instruction %s", words[0])
		}
	}
	if len(copied) == 0 {
		t.Error("nothing is in the image")
	}
}
