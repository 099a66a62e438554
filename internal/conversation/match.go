package conversation

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// names maps the names in a conversation to their values: <bob>, <bob.session>, <sdp>, …
type names map[string]string

// fill returns a copy of v in which names are replaced by their values.
func (n names) fill(v any) any {
	switch v := v.(type) {
	case string:
		if s, ok := n[v]; ok {
			return s
		}
		return v
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = n.fill(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			out[key] = n.fill(value)
		}
		return out
	}
	return v
}

// matchValue compares what was sent with what is written. An object may have more fields than
// are written, except tracks. A field that is absent has the zero value of its type. <any>
// stands for anything, and a key in angle brackets for any key.
func matchValue(path string, written, sent any) error {
	if written == "<any>" && sent != nil {
		return nil
	}
	object, ok := written.(map[string]any)
	if !ok {
		zero := sent == nil && (written == 0.0 || written == "" || written == false)
		if !zero && !reflect.DeepEqual(written, sent) {
			return fmt.Errorf("%s is %s, want %s", path, jsonText(sent), jsonText(written))
		}
		return nil
	}
	have, ok := sent.(map[string]any)
	if !ok {
		return fmt.Errorf("%s is %s, want an object", path, jsonText(sent))
	}
	if strings.HasSuffix(path, ".tracks") && len(have) != len(object) {
		return fmt.Errorf("%s has %d rows, want %d: %s", path, len(have), len(object), jsonText(have))
	}
	for key, value := range object {
		if strings.HasPrefix(key, "<") {
			if err := matchAny(path, value, have); err != nil {
				return err
			}
			continue
		}
		if err := matchValue(path+"."+key, value, have[key]); err != nil {
			return err
		}
	}
	return nil
}

func matchAny(path string, written any, sent map[string]any) (err error) {
	err = fmt.Errorf("%s is empty", path)
	for key, value := range sent {
		if err = matchValue(path+"."+key, written, value); err == nil {
			return nil
		}
	}
	return err
}

// jsonText is v as JSON, shortened.
func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	if len(b) > 200 {
		return string(b[:200]) + "…"
	}
	return string(b)
}
