package call

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"
)

// noServer is what -ice may be instead of a URL.
const noServer = "none"

// addICE takes stun:HOST:PORT and turn:USER:PASSWORD@HOST:PORT, where user
// and password may be escaped as in a URL.
func (c *Call) addICE(text string) error {
	if text == noServer {
		c.ICEServers = []webrtc.ICEServer{}
		return nil
	}
	scheme, rest, _ := strings.Cut(text, ":")
	server := webrtc.ICEServer{URLs: []string{text}}
	switch scheme {
	case "stun", "stuns":
	case "turn", "turns":
		at := strings.LastIndexByte(rest, '@')
		if at < 0 {
			return errors.New("a TURN server needs turn:user:password@host:port")
		}
		user, password, _ := strings.Cut(rest[:at], ":")
		name, err1 := url.PathUnescape(user)
		secret, err2 := url.PathUnescape(password)
		if err := errors.Join(err1, err2); err != nil {
			return errors.New("user or password has a bad % escape")
		}
		server = webrtc.ICEServer{URLs: []string{scheme + ":" + rest[at+1:]}, Username: name, Credential: secret}
	default:
		return errors.New("want stun:host:port or turn:user:password@host:port")
	}
	if strings.Contains(server.URLs[0], "@") {
		return errors.New("a STUN server takes no user and no password; want stun:host:port")
	}
	uri, err := stun.ParseURI(server.URLs[0])
	if err == nil && uri.Port > 65535 {
		err = stun.ErrPort
	}
	if err != nil {
		return fmt.Errorf("%w; want stun:host:port or turn:user:password@host:port", err)
	}
	c.ICEServers = append(c.ICEServers, server)
	return nil
}
