package transcript_test

import (
	"fmt"
	"strings"

	"noom/noomtest/transcript"
)

// A file that a program in production has written is read again.
func ExampleRead() {
	file := strings.NewReader(`
{"at":0,"self":"alice","peer":"hub","kind":"sent","type":"join","text":"\"lobby\""}
{"at":80000000,"self":"alice","peer":"bob","kind":"sent","type":"offer","epoch":1,"by":"alice","seq":1,"text":"1 (camera)"}
{"at":120000000,"self":"bob","peer":"alice","kind":"received","type":"offer","epoch":1,"by":"alice","seq":1,"text":"1 (camera)"}
`)
	record, err := transcript.Read(file)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(record.Mermaid())
	// Output:
	// sequenceDiagram
	//     participant p0 as alice
	//     participant p1 as hub
	//     participant p2 as bob
	//     p0->>p1: join "lobby", 0.000
	//     p0->>p2: offer 1 (camera), 0.080 to 0.120
}
