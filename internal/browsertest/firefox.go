package browsertest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// firefoxPath returns where Firefox is. Without one, or without PulseAudio, it skips or fails the test.
func firefoxPath(tb testing.TB) string {
	tb.Helper()
	if _, err := exec.LookPath("pulseaudio"); err != nil {
		Without(tb, "NO PULSEAUDIO: the tests with Firefox do not run, because without it Firefox has no sound; install it")
	}
	for _, name := range []string{os.Getenv("NOOM_FIREFOX"), "firefox-esr", "firefox"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path
		}
	}
	Without(tb, "NO FIREFOX: the tests with Firefox do not run; install it, or name it in NOOM_FIREFOX")
	return ""
}

// firefoxPrefs are those that every Firefox is started with, beside those that it sets itself
// when it is driven.
var firefoxPrefs = map[string]any{
	"media.navigator.streams.fake":                      true,
	"media.navigator.permission.disabled":               true,
	"media.navigator.video.default_fps":                 5, // what is not encoded and shown costs nothing
	"media.autoplay.default":                            0,
	"media.peerconnection.ice.obfuscate_host_addresses": false,
	"privacy.webrtc.hideGlobalIndicator":                true, // a window that takes the focus when a page begins to use a camera
	"media.devices.unfocused.enabled":                   true, // else enumerateDevices waits for the focus, which one window of all has
	// Chromium's pages of different profiles and windows have a process each too: one that hangs
	// or dies takes no other along.
	"dom.ipc.processCount":              64,
	"dom.ipc.processCount.webIsolated":  64,
	"dom.ipc.processPrelaunch.enabled":  false,
	"intl.accept_languages":             "en-US",
	"media.gmp-manager.url":             "", // nothing is fetched
	"browser.shell.checkDefaultBrowser": false,
}

// firefoxOptions are what options do to the prefs.
var firefoxOptions = map[Option]map[string]any{
	NoDevices:       {"media.navigator.streams.fake": false}, // and it has no PulseAudio, whose loudspeaker can be listened to
	DevicesRefused:  {"media.navigator.permission.disabled": false, "permissions.default.camera": 2, "permissions.default.microphone": 2},
	AutoplayRefused: {"media.autoplay.default": 5},
	AddressesHidden: {"media.peerconnection.ice.obfuscate_host_addresses": true, "media.navigator.permission.disabled": false},
	AnyCertificate:  {}, // a session's capability
	NoomLANIsHere:   {"network.dns.localDomains": "noom.lan"},
	LoopbackIsANet:  {"media.peerconnection.ice.loopback": true},
	SmoothCamera:    {"media.navigator.video.default_fps": 30},
	FocusIsOurs:     {}, // it is alone
}

// firefox is one that runs.
type firefox struct {
	*bidi

	command *exec.Cmd
	exited  chan struct{}
	sound   *pulse
	folder  string // its profile, and what it and PulseAudio need
	chrome  string // the browsing context of its first window itself

	keyboard sync.Mutex // held by who types, or opens a window: the keyboard is that of the window that has the focus
}

// launchFirefox starts a Firefox, and a PulseAudio for it.
func launchFirefox(tb testing.TB, options []Option) *firefox {
	tb.Helper()
	path := firefoxPath(tb)
	folder, err := os.MkdirTemp("", "noom-browsertest-") //nolint:usetesting // it outlives the test that starts it
	if err != nil {
		tb.Fatal(err)
	}
	f := &firefox{folder: folder, exited: make(chan struct{})}
	if err := f.start(path, options); err != nil {
		_ = f.stop() // what there is of it
		tb.Fatalf("starting Firefox: %v", err)
	}
	return f
}

func (f *firefox) start(path string, options []Option) (err error) {
	environment := append(os.Environ(), "HOME="+f.folder, "XDG_RUNTIME_DIR="+f.folder, "PULSE_SERVER=unix:"+filepath.Join(f.folder, "none"))
	if !slices.Contains(options, NoDevices) {
		if f.sound, err = startPulse(f.folder); err != nil {
			return err
		}
		environment = f.sound.environment()
	}
	profile := filepath.Join(f.folder, "profile")
	if err = writePrefs(profile, options); err != nil {
		return err
	}
	// Killed by stop, and with this process.
	f.command = exec.CommandContext(context.Background(), path, "--headless", "--no-remote", "--remote-debugging-port=0",
		"--remote-allow-system-access", "--profile", profile)
	f.command.Env = append(environment, "MOZ_CRASHREPORTER_DISABLE=1", "MOZ_HEADLESS_WIDTH=1280", "MOZ_HEADLESS_HEIGHT=880")
	diesWithUs(f.command)
	output, err := f.command.StderrPipe()
	if err != nil {
		return err
	}
	if err = f.command.Start(); err != nil {
		return err
	}
	address := make(chan string, 1)
	go func() {
		defer close(f.exited)
		listenForAddress(output, address)
		_ = f.command.Wait() // it was killed, or crashed
	}()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	select {
	case url := <-address:
		if f.bidi, err = dialBiDi(ctx, url+"/session"); err != nil {
			return err
		}
	case <-f.exited:
		return fmt.Errorf("it ended: %v", f.command.ProcessState)
	case <-ctx.Done():
		return ctx.Err()
	}
	return f.session(options)
}

// listenForAddress reads all that Firefox says, and gives the address that it listens on.
func listenForAddress(output io.Reader, address chan<- string) {
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "WebDriver BiDi listening on "); ok {
			address <- url
		}
	}
	_, _ = io.Copy(io.Discard, output) // behind a line that was too long
}

// session opens one, and finds the first window.
func (f *firefox) session(options []Option) error {
	always := object{"acceptInsecureCerts": false}
	for _, o := range options {
		if o == AnyCertificate {
			always["acceptInsecureCerts"] = true
		}
	}
	if err := f.call("session.new", object{"capabilities": object{"alwaysMatch": always}}, nil); err != nil {
		return err
	}
	if err := f.call("session.subscribe", object{"events": []string{"log.entryAdded"}}, nil); err != nil {
		return err
	}
	var tree struct{ Contexts []struct{ Context string } }
	if err := f.call("browsingContext.getTree", object{"moz:scope": "chrome", "maxDepth": 0}, &tree); err != nil {
		return err
	}
	if len(tree.Contexts) == 0 {
		return fmt.Errorf("it has no window")
	}
	f.chrome = tree.Contexts[0].Context
	return nil
}

// inside evaluates JavaScript that may do what Firefox's own may; context is the
// BrowsingContext of a page.
func (f *firefox) inside(page, js string) (json.RawMessage, error) {
	const module = `chrome://remote/content/shared/NavigableManager.sys.mjs`
	return f.evaluate(f.chrome, fmt.Sprintf(`{
		const { NavigableManager } = ChromeUtils.importESModule(%q);
		const context = NavigableManager.getBrowsingContextById(%q);
		%s
	}`, module, page, js), true)
}

func (f *firefox) gone() bool {
	select {
	case <-f.exited:
		return true
	case <-f.over:
		return true
	default:
		return false
	}
}

func (f *firefox) stop() error {
	defer func() { _ = os.RemoveAll(f.folder) }() // in the folder of temporary things
	if f.bidi != nil {
		_ = f.conn.CloseNow() // it may have been closed
		<-f.over
	}
	if f.command != nil && f.command.Process != nil {
		_ = f.command.Process.Kill() // it may have ended
		select {
		case <-f.exited:
		case <-time.After(closingTakesLong):
			return fmt.Errorf("it does not end")
		}
	}
	if f.sound != nil {
		return f.sound.stop()
	}
	return nil
}

func (f *firefox) profile(tb testing.TB) profile {
	tb.Helper()
	var made struct{ UserContext string }
	if err := f.call("browser.createUserContext", nil, &made); err != nil {
		tb.Fatalf("a profile in Firefox: %v", err)
	}
	tb.Cleanup(func() {
		if err := f.call("browser.removeUserContext", object{"userContext": made.UserContext}, nil); err != nil {
			tb.Logf("removing a profile in Firefox: %v", err)
		}
	})
	return firefoxProfile{f, made.UserContext}
}

// writePrefs makes a profile with these settings.
func writePrefs(profile string, options []Option) error {
	if err := os.MkdirAll(profile, 0o700); err != nil {
		return err
	}
	set := maps.Clone(firefoxPrefs)
	for _, o := range options {
		maps.Copy(set, firefoxOptions[o])
	}
	var lines strings.Builder
	for name, value := range set {
		text, err := json.Marshal(value)
		if err != nil {
			return err
		}
		fmt.Fprintf(&lines, "user_pref(%q, %s);\n", name, text)
	}
	return os.WriteFile(filepath.Join(profile, "user.js"), []byte(lines.String()), 0o600)
}
