package auto

import (
	"errors"
	"strings"
)

// A URLFlag is a flag of the hubs to dial, a [flag.Value]: it may be given several times, and each time it may be several
// URLs with commas between.
//
//	d := &auto.Dialer{URL: "ws://localhost:8080/ws"}
//	flag.Var(&auto.URLFlag{URL: &d.URL, URLs: &d.URLs}, "url", "the hub, or several that serve the same rooms")
type URLFlag struct {
	URL  *string   // becomes the first; what it is before is the default
	URLs *[]string // becomes the others

	given bool
}

// Set implements [flag.Value].
func (f *URLFlag) Set(text string) error {
	for u := range strings.SplitSeq(text, ",") {
		switch u = strings.TrimSpace(u); {
		case u == "":
			return errors.New("a URL is empty; want ws://host:port/path, or several with commas between")
		case !f.given:
			f.given, *f.URL, *f.URLs = true, u, nil
		default:
			*f.URLs = append(*f.URLs, u)
		}
	}
	return nil
}

// String returns the URLs, with commas between.
func (f *URLFlag) String() string {
	if f.URL == nil || f.URLs == nil { // package flag asks what the zero value is
		return ""
	}
	return strings.Join(append([]string{*f.URL}, *f.URLs...), ",")
}
