package noom_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/webrtc/v4"

	"noom"
)

// opusLines returns the parameters of Opus in each section of sound, by mid.
func opusLines(description string) map[string]string {
	lines := map[string]string{}
	for _, section := range strings.Split(description, "\nm=")[1:] {
		if !strings.HasPrefix(section, "audio") {
			continue
		}
		var mid, fmtp string
		for line := range strings.Lines(section) {
			line = strings.TrimSpace(line)
			if rest, ok := strings.CutPrefix(line, "a=mid:"); ok {
				mid = rest
			}
			if rest, ok := strings.CutPrefix(line, "a=fmtp:111 "); ok {
				fmtp = rest
			}
		}
		lines[mid] = fmtp
	}
	return lines
}

func sound(t *testing.T, codec webrtc.RTPCodecCapability) *webrtc.TrackLocalStaticRTP {
	t.Helper()
	codec.MimeType, codec.ClockRate = webrtc.MimeTypeOpus, 48000
	track, err := webrtc.NewTrackLocalStaticRTP(codec, "sound", "test")
	must(t, err)
	return track
}

// Each section of sound says whether it is stereo, for itself, and so does the answer:
// of tracks there from the start, published, swapped in, and taking over a section.
func TestStereoIsToldBySection(t *testing.T) {
	const plain, sent, taken = "minptime=10;useinbandfec=1", "minptime=10;useinbandfec=1;sprop-stereo=1;stereo=1", "minptime=10;useinbandfec=1;stereo=1"
	mono, stereo := webrtc.RTPCodecCapability{Channels: 1}, webrtc.RTPCodecCapability{Channels: 2}
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		a := w.join("r", "a", &noom.Config{Tracks: []noom.LocalTrack{
			{Name: "microphone", Track: sound(t, mono)},
			{Name: "quiet", Track: sound(t, webrtc.RTPCodecCapability{Channels: 2, SDPFmtpLine: "useinbandfec=1;stereo=0"})},
			{Name: "music", Track: sound(t, stereo)},
		}})
		b := w.join("r", "b", nil)
		until(t, a, connected)
		until(t, b, connected)
		_, err := b.Publish(t.Context(), sound(t, stereo), &noom.PublishOptions{Name: "answer"})
		must(t, err)
		check := func(when string, want map[string]bool) {
			t.Helper()
			time.Sleep(5 * time.Second)
			synctest.Wait()
			for name, stereo := range want {
				of, by := a, b
				if name == "answer" {
					of, by = b, a
				}
				var said, replied string // what each end got from the other
				theirs := peerOf(t, by, of)
				for _, track := range theirs.Tracks() {
					for _, tr := range theirs.Connection().GetTransceivers() {
						if r := tr.Receiver(); track.Name() == name && r != nil && r.Track() == track.Track() {
							said = opusLines(theirs.Connection().RemoteDescription().SDP)[tr.Mid()]
							replied = opusLines(peerOf(t, of, by).Connection().RemoteDescription().SDP)[tr.Mid()]
						}
					}
				}
				wantSaid, wantReplied := plain, plain
				if stereo {
					wantSaid, wantReplied = sent, taken
				}
				if said != wantSaid || replied != wantReplied {
					t.Errorf("%s: %s is offered as %q and answered as %q", when, name, said, replied)
				}
			}
		}
		all := map[string]bool{"microphone": false, "quiet": false, "music": true, "answer": true}
		check("from the start", all)
		must(t, a.Senders()[0].ReplaceTrack(sound(t, stereo)))
		all["microphone"] = true
		check("swapped", all)
		must(t, a.Senders()[1].Close())
		delete(all, "quiet")
		_, err = a.Publish(t.Context(), sound(t, stereo), &noom.PublishOptions{Name: "film"})
		must(t, err)
		all["film"] = true
		check("taken over", all)
		if n := len(opusLines(peerOf(t, b, a).Connection().RemoteDescription().SDP)); n != 4 {
			t.Errorf("there are %d sections of sound", n)
		}
	})
}
