// Package browser holds noom.js, the web page's side of noom: an ES module
// without build step or dependencies. Serve [FS] and import noom.js from it:
//
//	mux.Handle("/noom/", http.StripPrefix("/noom/", http.FileServerFS(browser.FS)))
//
//	<script type="module">
//	  import { join } from '/noom/noom.js';
//	</script>
//
// README.md next to this file shows how to use it.
package browser

import "embed"

// FS holds noom.js, the modules it imports and noom.d.ts, all at its top.
//
//go:embed *.js *.d.ts
var FS embed.FS
