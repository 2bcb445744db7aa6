package nn

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// sizes are what Keras writes as a number or a list of them; null in the list is 0.
type sizes []int

// UnmarshalJSON reads a number as a list of one.
func (s *sizes) UnmarshalJSON(text []byte) error {
	text = bytes.TrimSpace(text)
	if !bytes.HasPrefix(text, []byte("[")) {
		var n *int
		if err := json.Unmarshal(text, &n); err != nil || n == nil {
			return err
		}
		*s = sizes{*n}
		return nil
	}
	*s = nil
	return (*Shape)(s).UnmarshalJSON(text)
}

// MarshalJSON writes null for 0.
func (s sizes) MarshalJSON() ([]byte, error) {
	if s == nil {
		return []byte("null"), nil
	}
	text := []byte("[")
	for i, n := range s {
		if i > 0 {
			text = append(text, ',')
		}
		if n == 0 {
			text = append(text, "null"...)
		} else {
			text = strconv.AppendInt(text, int64(n), 10)
		}
	}
	return append(text, ']'), nil
}
