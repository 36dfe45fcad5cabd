package app_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"dchat/modules/settingsfx"
)

// shown are the examples in the README: function by file.
var shown = []struct{ file, function string }{
	{"../chat/example_test.go", "Example"},
	{"../modules/dchatfx/example_test.go", "Example"},
	{"example_test.go", "ExampleOptions"},
	{"example_test.go", "Example_service"},
}

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// source returns a function as it stands in its file.
func source(t *testing.T, file, function string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, file, text, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range parsed.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == function {
			return string(text[files.Position(f.Pos()).Offset:files.Position(f.End()).Offset])
		}
	}
	t.Fatalf("%s has no function %s", file, function)
	return ""
}

func TestTheReadmeShowsTheCompiledExamples(t *testing.T) {
	text := readme(t)
	for _, s := range shown {
		if want := "```go\n" + source(t, s.file, s.function) + "\n```"; !strings.Contains(text, want) {
			t.Errorf("the README does not show %s of %s as it is now:\n%s", s.function, s.file, want)
		}
	}
}

func TestTheReadmeNamesOnlyFlagsThatExist(t *testing.T) {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	settingsfx.Flags(flags)
	known := map[string]bool{"help": true, "endpoint": true, "json": true}
	flags.VisitAll(func(f *pflag.Flag) { known[f.Name] = true })
	named := regexp.MustCompile(`--([a-z][a-z0-9-]+)`).FindAllStringSubmatch(readme(t), -1)
	if len(named) == 0 {
		t.Fatal("the README names no flag")
	}
	for _, match := range named {
		if !known[match[1]] {
			t.Errorf("the README names --%s, which does not exist", match[1])
		}
	}
}
