package child

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

func start(t *testing.T, script string) *Process {
	p, err := Start("a shell", exec.Command("sh", "-c", script))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAsk(t *testing.T) {
	p := start(t, `read line; echo "$line"; read line; echo '{"error": "no such thing"}'`)
	var answer struct{ N int }
	if err := p.Ask(map[string]int{"n": 3}, &answer); err != nil || answer.N != 3 {
		t.Errorf("answer %v, error %v", answer, err)
	}
	if err := p.Ask(nil, &answer); err == nil || err.Error() != "no such thing" {
		t.Errorf("error %v", err)
	}
	p.Stop()
}

// TestLost demands that the end of a process is an error with what it said, then and later.
func TestLost(t *testing.T) {
	for _, test := range []struct{ script, want string }{
		{"read line; echo out of luck >&2", "out of luck"},
		{"read line; exec sleep 100", "no answer within"},
	} {
		p := start(t, test.script)
		for range 2 {
			if err := p.ask(nil, nil, 200*time.Millisecond); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: error %v", test.script, err)
			}
		}
	}
}
