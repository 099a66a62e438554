package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/crypto/acme"
)

// A problemWatch sees what an ACME server answers. autocert tries one kind of challenge after the
// other and in the end only reports that none was left: why each has failed stands in the
// authorizations that it has read (RFC 8555 section 7.1.4).
type problemWatch struct {
	inner http.RoundTripper

	mu   sync.Mutex
	last []acmeProblem // of the challenges of the last failed authorizations, the newest last
}

// acmeProblem is a problem document (RFC 8555 section 6.7).
type acmeProblem struct {
	Type   string `json:"type"`
	Detail string `json:"detail"`
}

// mostProblems bounds what is kept, and mostAnswer what is read of an answer for it.
const mostProblems, mostAnswer = 4, 64 << 10

// RoundTrip implements [http.RoundTripper].
func (w *problemWatch) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := w.inner.RoundTrip(r)
	if err != nil || !strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") {
		return response, err
	}
	start, err := io.ReadAll(io.LimitReader(response.Body, mostAnswer))
	if err != nil {
		_ = response.Body.Close() // it is of no use
		return nil, err
	}
	w.read(start)
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(start), response.Body), response.Body}
	return response, nil
}

// read keeps the problems in an authorization; in other answers there are none.
func (w *problemWatch) read(answer []byte) {
	var authorization struct {
		Status     string `json:"status"`
		Challenges []struct {
			Error *acmeProblem `json:"error"`
		} `json:"challenges"`
	}
	if json.Unmarshal(answer, &authorization) != nil || authorization.Status != acme.StatusInvalid {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, challenge := range authorization.Challenges {
		if challenge.Error != nil {
			w.last = append(w.last, *challenge.Error)
		}
	}
	w.last = w.last[max(0, len(w.last)-mostProblems):]
}

// explain says what an error means and what to do, and forgets what led to it. Nil is an error that
// nobody has told us.
func (w *problemWatch) explain(err error) string {
	w.mu.Lock()
	problems := w.last
	w.last = nil
	w.mu.Unlock()
	if refusal, is := errors.AsType[*acme.Error](err); is {
		problems = append(problems, acmeProblem{refusal.ProblemType, refusal.Detail})
	}
	var said []string
	for _, p := range problems {
		if text := p.explain(); len(said) == 0 || said[len(said)-1] != text {
			said = append(said, text)
		}
	}
	switch {
	case said == nil && err == nil:
		return "this machine must reach the ACME server, and be reached on port 443 or, with -http :80, on port 80"
	case said == nil:
		return "the ACME server cannot be asked: " + err.Error()
	}
	return strings.Join(said, "; ")
}

// notFoundHere is the advice where another server has answered, or none.
const notFoundHere = "the ACME server does not find this one under that name; it must lead straight here, to port 443 or, with -http :80, port 80"

// acmeAdvice is what to do, by the type of the problem.
var acmeAdvice = map[string]string{
	"dns":                   "the name does not lead here; give it an A or AAAA record with the address of this server",
	"connection":            "the ACME server does not reach this one; open port 443 or, with -http :80, port 80",
	"tls":                   notFoundHere,
	"unauthorized":          notFoundHere,
	"incorrectResponse":     notFoundHere,
	"rateLimited":           "it was asked too often; wait, and keep the folder -domain-cache between starts",
	"caa":                   "a CAA record of the domain forbids this ACME server",
	"rejectedIdentifier":    "the ACME server gives no certificates for this name",
	"unsupportedIdentifier": "the ACME server gives no certificates for names of this kind",
}

func (p acmeProblem) explain() string {
	kind := p.Type[strings.LastIndexByte(p.Type, ':')+1:]
	if advice := acmeAdvice[kind]; advice != "" {
		return advice + " (" + p.Detail + ")"
	}
	return p.Detail + " (" + kind + ")"
}
