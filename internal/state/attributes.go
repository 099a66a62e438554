package state

import (
	"fmt"

	"github.com/go-json-experiment/json"

	"noom/internal/fault"
)

// EncodeAttributes returns the value of a member's attributes.
func EncodeAttributes(attributes map[string]string) ([]byte, error) {
	if attributes == nil {
		attributes = map[string]string{}
	}
	b, err := json.Marshal(attributes, json.Deterministic(true))
	if err == nil && len(b) > MaxAttributes {
		err = fmt.Errorf("%w: attributes of %d bytes as JSON, at most %d", fault.TooBig, len(b), MaxAttributes)
	}
	return b, err
}

// DecodeAttributes reads them. It returns nil for what is not JSON, or no object of strings.
func DecodeAttributes(value []byte) (attributes map[string]string) {
	var read map[string]*string
	if json.Unmarshal(value, &read) != nil || read == nil {
		return nil
	}
	attributes = make(map[string]string, len(read))
	for name, text := range read {
		if text == nil {
			return nil
		}
		attributes[name] = *text
	}
	return attributes
}
