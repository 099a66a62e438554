package pairtest

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write what happens into testdata/*.txt; commit it only if every changed line can be explained")

func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts in testdata", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			was, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			is, err := Run(string(was))
			if err != nil {
				t.Fatal(err)
			}
			if *rewrite {
				if err := os.WriteFile(file, []byte(is), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if is != string(was) {
				t.Errorf("something else happens now:\n%s\nif that is right, run this test with -rewrite", is)
			}
		})
	}
}

func TestScriptRefusesTheImpossible(t *testing.T) {
	if _, err := Run("new\nB receives\n----\n"); err == nil {
		t.Error("B received what nobody sent")
	}
}
