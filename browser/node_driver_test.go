package browser_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"noom/browser"
	"noom/internal/browsertest"
)

const nodePatience = 2 * time.Minute // for one thing to happen, on a busy machine

// nodeFolder returns a folder with noom.js below noom/, testdata/node, and the packages it names.
func nodeFolder(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			browsertest.Without(t, "NO NODE: noom.js is not tried in Node; install Node 20 or later with npm")
		}
	}
	folder := t.TempDir()
	for from, to := range map[fs.FS]string{browser.FS: "noom", os.DirFS("testdata/node"): "."} {
		if err := os.CopyFS(filepath.Join(folder, to), from); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "noom", "package.json"), []byte(`{"type": "module"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	npm := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	npm.Dir = folder
	if out, err := npm.CombinedOutput(); err != nil {
		browsertest.Without(t, fmt.Sprintf("NO PACKAGES FOR NODE: noom.js is not tried in Node; npm could not fetch them: %v\n%s", err, out))
	}
	return folder
}

// nodeMember is testdata/node/member.mjs, running.
type nodeMember struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// startNode starts a member in a folder of nodeFolder, for a hub; flags are Node's, args the member's.
func startNode(t *testing.T, folder, hub string, flags []string, args ...string) *nodeMember {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", append(append(flags, "member.mjs"), args...)...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "HUB="+hub)
	var complaints lockedBuffer
	cmd.Stderr = &complaints
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // unless it has ended
		_ = cmd.Wait()         // the same
		if t.Failed() {
			t.Logf("Node said: %s", complaints.String())
		}
	})
	return &nodeMember{t, cmd, in, bufio.NewReader(out)}
}

// evalNode evaluates JavaScript, awaits it if it is a promise, and returns its value.
func evalNode[T any](m *nodeMember, js string) T {
	m.t.Helper()
	line, err := json.Marshal(js)
	if err != nil {
		m.t.Fatal(err)
	}
	if _, err = m.in.Write(append(line, '\n')); err != nil {
		m.t.Fatalf("%s: Node takes no more: %v", js, err)
	}
	if line, err = m.out.ReadBytes('\n'); err != nil {
		m.t.Fatalf("%s: Node says no more: %v", js, err)
	}
	var answer struct {
		Value T
		Error string
	}
	if err := json.Unmarshal(line, &answer); err != nil || answer.Error != "" {
		m.t.Fatalf("%s: %s %v", js, answer.Error, err)
	}
	return answer.Value
}

// do evaluates JavaScript for what it does.
func (m *nodeMember) do(js string) {
	m.t.Helper()
	evalNode[json.RawMessage](m, `(async () => { await (`+js+`); })()`)
}

// wait waits until a condition, which may await, holds.
func (m *nodeMember) wait(what, condition string) {
	m.t.Helper()
	if !evalNode[bool](m, fmt.Sprintf(`(async () => {
		const end = performance.now() + %d;
		while (performance.now() < end) {
			try { if (await (%s)) return true; } catch {}
			await new Promise((resolve) => setTimeout(resolve, 50));
		}
		return false;
	})()`, nodePatience.Milliseconds(), condition)) {
		m.t.Fatalf("never came in Node: %s (%s); %s", what, condition, evalNode[string](m, `log.map((e) => [e.type, e.state, e.error?.message].join(' ')).join('\n')`))
	}
}

// leave leaves the room; then nothing of noom.js keeps Node from its end. That it is told to end, because the WebRTC
// crashes in a process that ends by itself.
func (m *nodeMember) leave() {
	m.t.Helper()
	m.do(`room.leave()`)
	m.do(`hush()`)
	m.wait("nothing left to do", `!process.getActiveResourcesInfo().some((what) => /Timeout|TCP/.test(what))`)
	if _, err := m.in.Write([]byte("\"process.exit()\"\n")); err != nil {
		m.t.Error(err)
	}
	if err := m.cmd.Wait(); err != nil {
		m.t.Errorf("Node ends with %v", err)
	}
}

// lockedBuffer is a buffer that is written to while it is read.
type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}
