// Package child asks libraries that have processes of their own: a line of JSON for each line of JSON.
package child

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"
)

// Limit is how long an answer may take.
const Limit = 5 * time.Minute

// A Process answers one question at a time. One that takes too long, or ends, answers no more.
type Process struct {
	name   string
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr bytes.Buffer // must not be read before the process has ended
	lost   error
}

// Start starts the process of a library.
func Start(name string, cmd *exec.Cmd) (*Process, error) {
	p := &Process{name: name, cmd: cmd}
	cmd.Stderr = &p.stderr
	var err error
	if p.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	return p, cmd.Start()
}

// Ask sends a question and reads the answer. An answer {"error": ...} is an error.
func (p *Process) Ask(question, answer any) error { return p.ask(question, answer, Limit) }

func (p *Process) ask(question, answer any, limit time.Duration) error {
	if p.lost != nil {
		return p.lost
	}
	timer := time.AfterFunc(limit, func() { _ = p.cmd.Process.Kill() })
	err := json.NewEncoder(p.in).Encode(question)
	var line []byte
	if err == nil {
		line, err = p.out.ReadBytes('\n')
	}
	if !timer.Stop() {
		err = fmt.Errorf("no answer within %v", limit)
	}
	if err != nil {
		p.Stop()
		p.lost = fmt.Errorf("the process of %s ended: %w\n%s", p.name, err, &p.stderr)
		return p.lost
	}
	var failure struct{ Error string }
	if err := errors.Join(json.Unmarshal(line, &failure), json.Unmarshal(line, answer)); err != nil {
		return fmt.Errorf("the process of %s answers %q: %w", p.name, line, err)
	}
	if failure.Error != "" {
		return errors.New(failure.Error)
	}
	return nil
}

// Stop ends the process: it leaves when there are no more questions.
func (p *Process) Stop() {
	_ = p.in.Close()
	_ = p.cmd.Wait()
}
