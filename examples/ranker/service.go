package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/espalier-ml/espalier/nn"
)

//go:embed ranker.safetensors
var models embed.FS

const (
	modelFile     = "ranker.safetensors"
	maxCandidates = 256
	maxBody       = 256 << 10 // bytes: several times the largest request
	maxFeature    = 100       // far beyond what training saw, and far below what overflows
)

// A service answers POST /score and GET /healthz.
type service struct {
	path    string // the file that reload reads
	serving *nn.Handle
	memory  sync.Pool // of *work
	mux     http.ServeMux

	reloads, refused atomic.Int64
}

// newService serves the embedded model or, if there is a path, the one in that file.
func newService(path string) (*service, error) {
	plan, err := newPlan(nn.LoadFS(models, modelFile, nn.ForServing()))
	if err != nil {
		return nil, err
	}
	s := &service{path: path, serving: nn.NewHandle(plan)}
	s.memory.New = func() any { return newWork() }
	s.mux.HandleFunc("POST /score", s.score)
	s.mux.HandleFunc("GET /healthz", s.healthz)
	if path != "" {
		plan, err := newPlan(nn.Load(path, nn.ForServing()))
		if err == nil {
			err = s.serving.Swap(plan) // which holds it to the inputs and outputs of the embedded model
		}
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// newPlan makes a plan of a model that has been read, if there was no error.
func newPlan(m *nn.Model, err error) (*nn.Plan, error) {
	if err != nil {
		return nil, err
	}
	return nn.NewPlan(m, maxCandidates)
}

// reload reads the model's file again. After an error the present model goes on serving.
func (s *service) reload() error {
	if s.path == "" {
		return errors.New("there is no file to reload: the embedded model is served, see -model")
	}
	plan, err := newPlan(nn.Load(s.path, nn.ForServing()))
	if err == nil {
		err = s.serving.Swap(plan)
	}
	if err != nil {
		s.refused.Add(1)
		return err
	}
	s.reloads.Add(1)
	return nil
}

// A health is the answer of /healthz.
type health struct {
	Model   string   `json:"model"`   // its file
	Reloads int64    `json:"reloads"` // since the start
	Refused int64    `json:"refused"` // reloads that found a file that cannot be served
	User    []string `json:"user"`    // the features that a request lists
	Item    []string `json:"item"`
}

func (s *service) healthz(w http.ResponseWriter, _ *http.Request) {
	h := health{s.path, s.reloads.Load(), s.refused.Load(), userFeatures, itemFeatures}
	if h.Model == "" {
		h.Model = "embedded"
	}
	writeJSON(w, http.StatusOK, h)
}

func (s *service) score(w http.ResponseWriter, r *http.Request) {
	k := s.memory.Get().(*work)
	defer s.memory.Put(k)
	if err := k.read(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		status := http.StatusBadRequest
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		fail(w, status, err)
		return
	}
	start := time.Now()
	err := k.score(s.serving)
	took := time.Since(start)
	if err == nil {
		err = k.encode()
	}
	if err != nil {
		fail(w, http.StatusInternalServerError, err)
		return
	}
	// Server-Timing is the standard way to tell the client which part of the latency is ours, in milliseconds.
	w.Header().Set("Server-Timing", timingPrefix+strconv.FormatFloat(took.Seconds()*1e3, 'f', -1, 64))
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(k.body.Bytes()) // the only error is that nobody listens any more
}

const timingPrefix = "score;dur="

func fail(w http.ResponseWriter, status int, err error) {
	writeJSON(w, status, struct {
		Error string `json:"error"`
	}{err.Error()})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // as above
}

// A request asks what a user would make of candidates.
type request struct {
	User       features   `json:"user"`
	Candidates []features `json:"candidates"`
}

// An answer has a value for each candidate, in the order of the request.
type answer struct {
	Click   []float32 `json:"click"`   // probability
	Minutes []float32 `json:"minutes"` // expected, if it is clicked
}

// A work is the memory of one request. Requests reuse it, so that scoring allocates nothing; decoding JSON does.
type work struct {
	request         request
	inputs, outputs [][]float32 // as the plan has them
	body            bytes.Buffer
}

func newWork() *work {
	return &work{
		inputs:  [][]float32{make([]float32, maxCandidates*len(userFeatures)), make([]float32, maxCandidates*len(itemFeatures))},
		outputs: [][]float32{make([]float32, maxCandidates), make([]float32, maxCandidates)},
	}
}

// read decodes a request and checks it.
func (k *work) read(body io.Reader) error {
	q := &k.request
	q.User.values, q.User.err = q.User.values[:0], nil
	q.Candidates = q.Candidates[:0]
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	err := d.Decode(q)
	if err == nil {
		if _, err = d.Token(); err == io.EOF {
			return q.check()
		}
		if err == nil {
			err = errors.New("goes on after the object")
		}
	}
	var mistyped *json.UnmarshalTypeError
	switch {
	case err == io.EOF:
		err = errors.New("is empty")
	case errors.As(err, &mistyped):
		err = fmt.Errorf("%q cannot be of type %s", mistyped.Field, mistyped.Value)
	}
	return fmt.Errorf(`request: %w; valid is {"user": [%d numbers], "candidates": [[%d numbers], ...]} with 1 to %d candidates`,
		err, len(userFeatures), len(itemFeatures), maxCandidates)
}

func (q *request) check() error {
	if err := q.User.check(userFeatures); err != nil {
		return fmt.Errorf(`"user" %w`, err)
	}
	if n := len(q.Candidates); n < 1 || n > maxCandidates {
		return fmt.Errorf(`"candidates" has %d items, valid are 1 to %d`, n, maxCandidates)
	}
	for i := range q.Candidates {
		if err := q.Candidates[i].check(itemFeatures); err != nil {
			return fmt.Errorf(`"candidates"[%d] %w`, i, err)
		}
	}
	return nil
}

// score computes k's outputs.
func (k *work) score(serving *nn.Handle) error {
	users, items := k.inputs[0][:0], k.inputs[1][:0]
	for i := range k.request.Candidates {
		users, items = append(users, k.request.User.values...), append(items, k.request.Candidates[i].values...)
	}
	return serving.Predict(k.inputs, k.outputs, len(k.request.Candidates))
}

// encode writes the answer to k's body. It is an error if a score is not finite, which JSON cannot say.
func (k *work) encode() error {
	n := len(k.request.Candidates)
	k.body.Reset()
	return json.NewEncoder(&k.body).Encode(answer{k.outputs[0][:n], k.outputs[1][:n]})
}

// features are a row of numbers. Decoding one keeps what is wrong with it for check, which knows where it is.
type features struct {
	values []float32
	err    error
}

// UnmarshalJSON reads a row into the memory that it has. Unlike a slice of float32 it tells null from a number.
func (f *features) UnmarshalJSON(b []byte) error {
	f.values, f.err = f.values[:0], nil
	row, isArray := bytes.CutPrefix(b, []byte("["))
	if !isArray {
		f.err = fmt.Errorf("is %.20s, must be an array of numbers", b)
		return nil
	}
	row = bytes.TrimSpace(bytes.TrimSuffix(row, []byte("]")))
	for len(row) > 0 {
		number, rest, _ := bytes.Cut(row, []byte(","))
		number, row = bytes.TrimSpace(number), rest
		v, err := strconv.ParseFloat(string(number), 32)
		if err != nil || math.Abs(v) > maxFeature {
			f.err = fmt.Errorf("has %.20s at place %d, valid are numbers from %d to %d", number, len(f.values), -maxFeature, maxFeature)
			return nil
		}
		f.values = append(f.values, float32(v))
	}
	return nil
}

func (f *features) check(names []string) error {
	if f.err != nil {
		return f.err
	}
	if len(f.values) != len(names) {
		return fmt.Errorf("has %d features, must have %d: %s", len(f.values), len(names), strings.Join(names, ", "))
	}
	return nil
}
