// Command browser-server serves noom calls to web pages from one process: the
// page, noom.js and the hub, with everything embedded. It is noom serve by another name,
// with the page in the folder page.
//
//	go run ./examples/browser-server
//
// Then open http://localhost:8080 in two tabs. Over a network a page needs
// https for its camera: see -tls-self-signed and -tls-cert.
package main

import (
	"noom/cmd/noom/command"
	"noom/cmd/noom/serve"
	"noom/examples/browser-server/page"
)

func main() { command.Main(program) }

var program = serve.Command("browser-server", page.Files)
