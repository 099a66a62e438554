package connection

import (
	"strings"
	"testing"
)

func TestPrefer(t *testing.T) {
	const (
		head  = "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
		video = "m=video 9 UDP/TLS/RTP/SAVPF 35 36 37 38 39 40 43 44\r\n" +
			"a=rtpmap:35 VP8/90000\r\na=rtpmap:36 rtx/90000\r\na=fmtp:36 apt=35\r\n" +
			"a=rtpmap:37 H264/90000\r\na=fmtp:37 packetization-mode=1\r\na=rtpmap:38 rtx/90000\r\na=fmtp:38 apt=37\r\n" +
			"a=rtpmap:39 h264/90000\r\na=rtpmap:40 rtx/90000\r\na=fmtp:40 apt=39\r\n" +
			"a=rtpmap:43 VP9/90000\r\na=rtpmap:44 rtx/90000\r\na=fmtp:44 apt=43\r\n"
		audio = "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8\r\na=rtpmap:111 opus/48000/2\r\n" // numbers of old need no a=rtpmap
		data  = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
	)
	for _, test := range []struct {
		section, direction, preferred, want string
	}{
		{video, "recvonly", "video/VP9 video/H264", "43 44 37 38 39 40 35 36"},
		{video, "sendrecv", "video/h264", "37 38 39 40 35 36 43 44"},
		{video, "", "video/H264 video/VP8", "37 38 39 40 35 36 43 44"}, // sendrecv (RFC 8866 section 6.7)
		{video, "sendonly", "video/H264", ""},
		{video, "inactive", "video/H264", ""},
		{video, "recvonly", "video/VP8", ""},
		{video, "recvonly", "video/AV1 audio/VP9 video/rtx", ""},
		{video, "recvonly", "", ""},
		{audio, "recvonly", "video/H264 audio/OPUS", ""},
		{data, "sendrecv", "video/H264", ""},
	} {
		text := head + test.section
		if test.direction != "" {
			text += "a=" + test.direction + "\r\n"
		}
		s, err := parseDescription(text)
		if err != nil {
			t.Fatal(err)
		}
		before := strings.Join(s.MediaDescriptions[0].MediaName.Formats, " ")
		changed := prefer(s, strings.Fields(test.preferred))
		got := strings.Join(s.MediaDescriptions[0].MediaName.Formats, " ")
		if want := test.want; changed != (want != "") || changed && got != want || !changed && got != before {
			t.Errorf("%s, %q: %s, changed %v, want %q", test.direction, test.preferred, got, changed, want)
		}
	}
}
