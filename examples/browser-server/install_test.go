package main

import (
	"encoding/json"
	"fmt"
	"image/png"
	"io"
	"net/http"
	"strings"
	"testing"
)

// What a browser needs to install the page as an app is there, and is what the manifest says.
func TestInstallable(t *testing.T) {
	t.Parallel()
	server := serveHere(t)
	get := func(path string) (http.Header, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server+"/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }() // it is read
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v", path, response.Status, err)
		}
		return response.Header, string(body)
	}
	header, index := get("")
	if policy := header.Get("Content-Security-Policy"); !strings.Contains(policy, "; manifest-src 'self';") {
		t.Errorf("the policy refuses the manifest: %s", policy)
	}
	if !strings.Contains(index, `<link rel="manifest" href="manifest.webmanifest">`) {
		t.Error("the page does not name its manifest")
	}
	var manifest struct {
		Name     string
		StartURL string `json:"start_url"`
		Display  string
		Icons    []struct{ Src, Sizes, Type, Purpose string }
	}
	_, text := get("manifest.webmanifest")
	if err := json.Unmarshal([]byte(text), &manifest); err != nil {
		t.Fatal(err)
	}
	if manifest.Name == "" || manifest.StartURL != "./" || manifest.Display != "standalone" {
		t.Errorf("the manifest says %+v", manifest)
	}
	// Chromium asks for 192 and 512 pixels.
	missing := map[string]bool{"192x192 ": true, "512x512 ": true, "512x512 maskable": true, "any ": true}
	for _, icon := range manifest.Icons {
		header, content := get(icon.Src)
		if got := header.Get("Content-Type"); got != icon.Type {
			t.Errorf("%s is %s, and not %s", icon.Src, got, icon.Type)
		}
		delete(missing, icon.Sizes+" "+icon.Purpose)
		if icon.Type != "image/png" {
			continue
		}
		drawn, err := png.Decode(strings.NewReader(content))
		if err != nil {
			t.Fatalf("%s: %v", icon.Src, err)
		}
		if size := fmt.Sprintf("%dx%d", drawn.Bounds().Dx(), drawn.Bounds().Dy()); size != icon.Sizes {
			t.Errorf("%s has %s pixels, and not %s", icon.Src, size, icon.Sizes)
		}
		if _, _, _, alpha := drawn.At(0, 0).RGBA(); (alpha == 0xffff) != (icon.Purpose == "maskable") {
			t.Errorf("%s: a corner's alpha is %d", icon.Src, alpha)
		}
	}
	if len(missing) > 0 {
		t.Errorf("there is no icon for %v", missing)
	}
}
