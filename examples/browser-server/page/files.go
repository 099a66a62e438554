// Package page is the example page: a call in a browser, with noom.js. A copy in another module is a page of its own.
package page

import "embed"

// Files has the page's files, without folders.
//
//go:embed *.html *.css *.js *.svg *.png *.webmanifest
var Files embed.FS
