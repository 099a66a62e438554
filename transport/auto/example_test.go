package auto_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"noom/signal/hub"
	"noom/transport/auto"
	noomhttp "noom/transport/http"
)

// Nothing speaks WebSocket here.
func ExampleDialer() {
	server := httptest.NewServer(noomhttp.Handler(hub.New(nil), nil))
	defer server.Close()

	dialer := &auto.Dialer{URL: "ws" + server.URL[len("http"):] + "/ws"}
	link, err := dialer.Dial(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(link.Close())
	// Output: <nil>
}
