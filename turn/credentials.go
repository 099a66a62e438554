package turn

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the TURN REST API is defined with it, and HMAC does not need collision resistance
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pion/stun/v4"
	pion "github.com/pion/turn/v5"

	"noom/signal"
)

// This file is which members may use the server.

const (
	// CredentialLifetime is for how long credentials make new relays. It belongs in
	// hub.Config.ICELifetime: members ask for new ones when four fifths of it have gone.
	CredentialLifetime = 10 * time.Minute
	// longestCall is for how long after that an allocation may be kept up: a
	// call outlives the credentials that it began with. Then its members
	// find a new path with new ones.
	longestCall = 24 * time.Hour

	realm = "noom"
)

// ICEServers returns the server's addresses, over each transport that it serves at that moment, with
// credentials for a member. It is what hub.Config.ICEServers wants; use [CredentialLifetime] beside
// it. It may be called from several goroutines.
func (s *Server) ICEServers(_ context.Context, m signal.Member) []signal.ICEServer {
	s.mu.Lock()
	stuns, turns := slices.Clone(s.stunURLs), slices.Clone(s.turnURLs)
	s.mu.Unlock()
	var servers []signal.ICEServer
	if len(stuns) > 0 {
		servers = append(servers, signal.ICEServer{URLs: stuns})
	}
	if len(turns) > 0 {
		user, password := s.credentials(m.ID, CredentialLifetime)
		servers = append(servers, signal.ICEServer{URLs: turns, Username: user, Credential: password})
	}
	return servers
}

// credentials are good for so long.
func (s *Server) credentials(id string, life time.Duration) (user, password string) {
	user = strconv.FormatInt(time.Now().Add(life).Unix(), 10) + ":" + id
	return user, s.password(user)
}

func (s *Server) password(user string) string {
	mac := hmac.New(sha1.New, []byte(s.secret))
	_, _ = mac.Write([]byte(user)) // a hash takes all
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// authenticate returns the key that a request must be signed with. Expired
// credentials make nothing new, but keep what there is.
func (s *Server) authenticate(r *pion.RequestAttributes) (user string, key []byte, ok bool) {
	expiry, user, _ := strings.Cut(r.Username, ":")
	seconds, err := strconv.ParseInt(expiry, 10, 64)
	if err != nil || user == "" {
		return "", nil, false
	}
	end := time.Unix(seconds, 0)
	if r.Method != stun.MethodAllocate {
		end = end.Add(longestCall)
	}
	if time.Now().After(end) {
		return "", nil, false
	}
	return user, pion.GenerateAuthKey(r.Username, r.Realm, s.password(r.Username)), true
}
