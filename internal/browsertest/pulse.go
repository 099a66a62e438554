package browsertest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// pulse is a PulseAudio with a loudspeaker that nobody hears. Without any sound device the clock of
// Firefox's AudioContext stands still.
type pulse struct {
	folder  string
	command *exec.Cmd
	exited  chan struct{}
}

// startPulse starts one whose files are all in folder. It may be root's, too.
func startPulse(folder string) (*pulse, error) {
	p := &pulse{folder: folder, exited: make(chan struct{})}
	// Killed by stop, and with this process.
	p.command = exec.CommandContext(context.Background(), "pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1",
		"--disable-shm=yes", "--realtime=no", "--high-priority=no", "--log-level=error", "--fail=yes",
		"--load=module-null-sink sink_name=nobody", "--load=module-native-protocol-unix auth-anonymous=1 socket="+p.socket())
	p.command.Env = p.environment()
	var said strings.Builder
	p.command.Stderr = &said
	diesWithUs(p.command)
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.exited)
		_ = p.command.Wait() // it was killed, or its end is noticed below
	}()
	for end := time.Now().Add(patience); ; {
		conn, err := net.Dial("unix", p.socket())
		if err == nil {
			_ = conn.Close() // it only had to be taken
			return p, nil
		}
		select {
		case <-p.exited:
			return nil, fmt.Errorf("PulseAudio ended: %s", said.String())
		case <-time.After(50 * time.Millisecond): // its socket appears without a word
		}
		if time.Now().After(end) {
			_ = p.stop() // it is of no use
			return nil, fmt.Errorf("PulseAudio does not listen: %w", err)
		}
	}
}

func (p *pulse) socket() string { return filepath.Join(p.folder, "loudspeaker") }

// environment is that of a program which is to use it, and which keeps its files beside its own.
func (p *pulse) environment() []string {
	return append(os.Environ(), "HOME="+p.folder, "XDG_RUNTIME_DIR="+p.folder, "XDG_CONFIG_HOME="+p.folder,
		"PULSE_SERVER=unix:"+p.socket(), "PULSE_COOKIE="+filepath.Join(p.folder, "cookie"))
}

func (p *pulse) stop() error {
	_ = p.command.Process.Kill() // it may have ended
	select {
	case <-p.exited:
		return nil
	case <-time.After(closingTakesLong):
		return fmt.Errorf("PulseAudio does not end")
	}
}
