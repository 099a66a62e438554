// Package bundle makes few files of the many modules of a page: a browser asks for each one, after it has read one that
// imports it, and a request costs it more than what is in it.
package bundle

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// Chunk is how the names begin of all files but the first. They go on with a hash of what is in the file, so that a browser
// may keep it for ever.
const Chunk = "chunk-"

// source is what esbuild calls the place where modules come from.
const source = "page"

// Of makes files of a module and of what it imports by relative paths: one of its name, with the same exports, and a
// [Chunk] of each module that is imported only when it is needed, and of what several of them share. Each has a map, which
// leads a browser's debugger back to the modules. The keys are the files' names, in the folder of the module.
func Of(modules fs.FS, entry string) (map[string][]byte, error) {
	result := api.Build(api.BuildOptions{
		EntryPoints: []string{entry},
		Bundle:      true, Format: api.FormatESModule, Splitting: true,
		ChunkNames: Chunk + "[hash]", Outdir: "/",
		MinifyWhitespace: true, MinifySyntax: true, Charset: api.CharsetUTF8,
		Sourcemap: api.SourceMapLinked,
		Plugins:   []api.Plugin{{Name: "fs", Setup: reads(modules)}},
	})
	if problems := append(result.Errors, result.Warnings...); len(problems) > 0 { // such as a name that is put together as it runs
		text := api.FormatMessages(problems, api.FormatMessagesOptions{})
		return nil, errors.New("bundle: " + strings.TrimSpace(strings.Join(text, "\n")))
	}
	files := make(map[string][]byte, len(result.OutputFiles))
	for _, file := range result.OutputFiles {
		files[path.Base(strings.ReplaceAll(file.Path, `\`, "/"))] = file.Contents
	}
	return files, nil
}

// reads lets esbuild read the modules, and nothing else of the machine.
func reads(modules fs.FS) func(api.PluginBuild) {
	return func(build api.PluginBuild) {
		build.OnResolve(api.OnResolveOptions{Filter: ".*"}, func(args api.OnResolveArgs) (api.OnResolveResult, error) {
			return api.OnResolveResult{Path: path.Join(path.Dir(args.Importer), args.Path), Namespace: source}, nil
		})
		build.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: source}, func(args api.OnLoadArgs) (api.OnLoadResult, error) {
			content, err := fs.ReadFile(modules, args.Path)
			if err != nil {
				return api.OnLoadResult{}, err
			}
			text := string(content)
			return api.OnLoadResult{Contents: &text}, nil
		})
	}
}
