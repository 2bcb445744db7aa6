package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/espalier-ml/espalier/nn"
)

// The demo starts its own program, which in a test is the test's: with this variable it is the ranker.
const programVariable = "RANKER_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programVariable) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func ask(s *service, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/score", strings.NewReader(body)))
	return w
}

func newTestService(t *testing.T, path string) *service {
	t.Helper()
	s, err := newService(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// files writes two models, and half of one.
func files(t *testing.T) (first, second, broken string) {
	t.Helper()
	contents, err := twoModels()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("first", contents[0]), write("second", contents[1]), write("broken", contents[0][:len(contents[0])/2])
}

func replace(t *testing.T, path, by string) {
	t.Helper()
	content, err := os.ReadFile(by)
	if err == nil {
		err = os.WriteFile(path, content, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// checkScores compares answers with the model's own, bit for bit.
func checkScores(t *testing.T, s *service, m *nn.Model) {
	t.Helper()
	for _, n := range []int{1, 2, 31, 32, 255, 256} {
		for _, body := range requestsOf(n) {
			w := ask(s, string(body))
			if w.Code != http.StatusOK {
				t.Fatalf("%d candidates: %d %s", n, w.Code, w.Body)
			}
			if got := w.Header().Get("Server-Timing"); !strings.HasPrefix(got, timingPrefix) {
				t.Errorf("Server-Timing is %q", got)
			}
			var q struct {
				User       []float32
				Candidates [][]float32
			}
			var got answer
			if err := errors.Join(json.Unmarshal(body, &q), json.Unmarshal(w.Body.Bytes(), &got)); err != nil {
				t.Fatal(err)
			}
			var users, items nn.Floats
			for _, c := range q.Candidates {
				users, items = append(users, q.User...), append(items, c...)
			}
			want, err := m.Predict(nn.Arrays{"user": users, "item": items})
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Click) != n || len(got.Minutes) != n {
				t.Fatalf("%d candidates: %d clicks, %d minutes", n, len(got.Click), len(got.Minutes))
			}
			for i := range n {
				for name, v := range map[string]float32{"click": got.Click[i], "minutes": got.Minutes[i]} {
					if w := want[name].Row(i)[0]; math.Float32bits(v) != math.Float32bits(w) {
						t.Errorf("candidate %d of %d: %s is %v, the model predicts %v", i, n, name, v, w)
					}
				}
			}
		}
	}
}

func TestScores(t *testing.T) {
	m, err := nn.LoadFS(models, modelFile)
	if err != nil {
		t.Fatal(err)
	}
	checkScores(t, newTestService(t, ""), m)
}

// The embedded model ranks nearly as well as is possible.
func TestEmbeddedModel(t *testing.T) {
	m, err := nn.LoadFS(models, modelFile)
	if err != nil {
		t.Fatal(err)
	}
	q, err := judge(m, impressions(5000, 3), impressions(20_000, 4))
	if err != nil {
		t.Fatal(err)
	}
	if q.auc < q.bestAUC-0.015 || q.mae > 0.6*q.baselineMAE {
		t.Errorf("%+v", q)
	}
}

func TestBadRequests(t *testing.T) {
	s := newTestService(t, "")
	const user, item = `[0,0,0,0,0,1,0,1]`, `[0,0,0,0,0,0.5]`
	body := func(user string, candidates ...string) string {
		return fmt.Sprintf(`{"user": %s, "candidates": [%s]}`, user, strings.Join(candidates, ","))
	}
	many := strings.Split(strings.Repeat(item+" ", 257), " ")[:257]
	const form = `; valid is {"user": [8 numbers], "candidates": [[6 numbers], ...]} with 1 to 256 candidates`
	tests := []struct{ body, want string }{
		{``, `request: is empty` + form},
		{`{`, `request: unexpected EOF` + form},
		{`null`, `"user" has 0 features, must have 8: taste_0, `},
		{`7`, `cannot be of type number` + form},
		{`{"users": 1}`, `unknown field "users"` + form},
		{`{"candidates": {}}`, `"candidates" cannot be of type object` + form},
		{body(user, item) + `x`, `invalid character 'x'`},
		{body(user, item) + `{}`, `goes on after the object` + form},
		{body(user), `"candidates" has 0 items, valid are 1 to 256`},
		{`{"user": ` + user + `}`, `"candidates" has 0 items, valid are 1 to 256`},
		{body(user, many...), `"candidates" has 257 items, valid are 1 to 256`},
		{body(`[1,2]`, item), `"user" has 2 features, must have 8: taste_0, taste_1, taste_2, taste_3, age, phone, hour_sin, hour_cos`},
		{body(user, item, `[1]`), `"candidates"[1] has 1 features, must have 6: topic_0, `},
		{body(user, item, `[]`), `"candidates"[1] has 0 features, must have 6: topic_0, `},
		{body(user, `null`), `"candidates"[0] is null, must be an array of numbers`},
		{body(`"me"`, item), `"user" is "me", must be an array of numbers`},
		{body(user, `[0,0,null,0,0,0]`), `"candidates"[0] has null at place 2, valid are numbers from -100 to 100`},
		{body(user, `[0,0,"a,b",0,0,0]`), `"candidates"[0] has "a at place 2, valid are numbers from -100 to 100`},
		{body(user, `[[0],0,0,0,0,0]`), `"candidates"[0] has [0] at place 0, valid are numbers from -100 to 100`},
		{body(user, `[0,0,0,0,0,101]`), `"candidates"[0] has 101 at place 5, valid are numbers from -100 to 100`},
		{body(user, `[0,0,0,0,0,-1e999]`), `"candidates"[0] has -1e999 at place 5, valid are numbers from -100 to 100`},
		{body(user, `[0,0,0,0,0,NaN]`), `request: invalid character 'N'`},
	}
	for _, test := range tests {
		// Twice, and with a good request between, as memory is reused.
		for range 2 {
			w := ask(s, test.body)
			var got struct{ Error string }
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatalf("%.80s: %v: %s", test.body, err, w.Body)
			}
			if w.Code != http.StatusBadRequest || !strings.Contains(got.Error, test.want) {
				t.Errorf("%.80s: %d %q, want 400 and %q", test.body, w.Code, got.Error, test.want)
			}
			if w := ask(s, body(user, item)); w.Code != http.StatusOK {
				t.Errorf("a good request after %.80s: %d %s", test.body, w.Code, w.Body)
			}
		}
	}
	if w := ask(s, strings.Repeat(" ", maxBody+1)); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a large request: %d %s", w.Code, w.Body)
	}
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/score", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET /score: %d", w.Code)
	}
}

// Whatever is sent is answered, and with 200 or 400.
func FuzzScore(f *testing.F) {
	s, err := newService("")
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"user": [0,0,0,0,0,1,0,1], "candidates": [[0,0,0,0,0,0.5], null, ["a"]]}`))
	f.Add(requestsOf(2)[0])
	f.Fuzz(func(t *testing.T, body []byte) {
		w := ask(s, string(body))
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Fatalf("the answer is no JSON: %s", w.Body)
		}
	})
}

func TestReload(t *testing.T) {
	first, second, broken := files(t)
	serving := filepath.Join(t.TempDir(), modelFile)
	replace(t, serving, first)
	s := newTestService(t, serving)
	check := func(path string) {
		t.Helper()
		m, err := nn.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		checkScores(t, s, m)
	}
	check(first)
	replace(t, serving, second)
	check(first)
	if err := s.reload(); err != nil {
		t.Fatal(err)
	}
	check(second)

	user, other := nn.Input("user", len(userFeatures)), nn.Input("other", 2)
	click := nn.Dense(1, nn.Sigmoid, nn.Name("click")).On(nn.Concatenate().On(user, other))
	stranger, err := nn.NewModel([]*nn.Node{user, other}, []*nn.Node{click})
	if err != nil {
		t.Fatal(err)
	}
	strange := filepath.Join(t.TempDir(), "stranger")
	if err := stranger.Save(strange); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{broken: "unexpected EOF", strange: `inputs are "user" (8), "other" (2), must be "user" (8), "item" (6)`} {
		replace(t, serving, path)
		if err := s.reload(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		check(second)
		if _, err := newService(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("newService: got %v, want %s", err, want)
		}
	}
	if err := os.Remove(serving); err != nil {
		t.Fatal(err)
	}
	if err := s.reload(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	check(second)

	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	var h health
	if err := json.Unmarshal(w.Body.Bytes(), &h); err != nil || w.Code != http.StatusOK || h.Reloads != 1 || h.Refused != 3 || h.Model != serving {
		t.Errorf("health is %d %s, %v", w.Code, w.Body, err)
	}
	if err := newTestService(t, "").reload(); err == nil || !strings.Contains(err.Error(), "see -model") {
		t.Errorf("without a path: %v", err)
	}
}

// A model whose scores are not finite is told from a bad request.
func TestNotFinite(t *testing.T) {
	m, err := nn.LoadFS(models, modelFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range m.Weights() {
		for i := range w.Data {
			w.Data[i] = math.MaxFloat32
		}
	}
	path := filepath.Join(t.TempDir(), modelFile)
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	if w := ask(newTestService(t, path), string(requestsOf(1)[0])); w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "error") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestScoringAllocatesNothing(t *testing.T) {
	s, k := newTestService(t, ""), newWork()
	if err := k.read(bytes.NewReader(requestsOf(maxCandidates)[0])); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if err := k.score(s.serving); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// The whole life of a service: start, requests at the same time as signals, a graceful end that leaves no goroutine.
func TestServe(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("has no SIGHUP to send")
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP) // starts a goroutine of the runtime, which stays
	defer signal.Stop(signals)
	before := runtime.NumGoroutine()
	first, second, broken := files(t)
	serving := filepath.Join(t.TempDir(), modelFile)
	replace(t, serving, first)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	output, input := io.Pipe()
	var log bytes.Buffer
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-addr", "127.0.0.1:0", "-model", serving}, input, &log)
		input.Close()
	}()
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err, <-ended)
	}
	url := strings.TrimPrefix(strings.TrimSpace(line), servingPrefix)

	var callers sync.WaitGroup
	callers.Go(func() {
		l := load{url: url, connections: 8, duration: 300 * time.Millisecond, candidates: 32}
		m, err := l.run(ctx)
		if err != nil || len(m.request) == 0 || len(m.request) != len(m.scoring) {
			t.Errorf("%d requests, %v", len(m.request), err)
		}
	})
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{}
	for i, path := range []string{second, broken, first} {
		replace(t, serving, path)
		if err := self.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			h, err := healthOf(ctx, client, url)
			if err != nil {
				t.Fatal(err)
			}
			if h.Reloads+h.Refused == int64(i+1) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("no reload: %+v", h)
			}
		}
	}
	callers.Wait()
	client.CloseIdleConnections()
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"now serving " + serving, "the present model stays: ", "shutting down"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log.String())
		}
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, there were %d:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

func TestDemo(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("has no SIGHUP to send")
	}
	t.Setenv(programVariable, "1")
	var stdout, stderr bytes.Buffer
	if err := run(context.Background(), []string{"-demo", "-for", "600ms", "-connections", "2"}, &stdout, &stderr); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	for _, want := range []string{"p99.9", " 256  ", "0 for scoring", "first answer", "binary", "memory of a session"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, stdout.String())
		}
	}
}

func TestTrain(t *testing.T) {
	path := filepath.Join(t.TempDir(), modelFile)
	var stdout bytes.Buffer
	if err := train(context.Background(), path, 4000, 1, &stdout); err != nil {
		t.Fatal(err)
	}
	if text := stdout.String(); !strings.Contains(text, "AUC 0.") || !strings.Contains(text, "MAE ") {
		t.Errorf("got\n%s", text)
	}
	newTestService(t, path)
}

func TestFlags(t *testing.T) {
	for args, want := range map[string]string{
		"-train -demo":         "only one of -train, -demo and -load is possible",
		"-demo -load x":        "only one of -train, -demo and -load is possible",
		"-demo -connections 0": "-connections 0: needs at least 1",
		"-demo -for 0s":        "-for 0s: must be positive",
		"serve":                `unexpected argument "serve": there are only flags, see -h`,
		"-nonsense":            "flag provided but not defined: -nonsense",
		"-model none":          `nn: Load "none": open none`,
		"-load http://[::1]:1": "connection refused",
	} {
		if err := run(context.Background(), strings.Fields(args), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", args, err, want)
		}
	}
	var usage bytes.Buffer
	if err := run(context.Background(), []string{"-h"}, &usage, io.Discard); !errors.Is(err, flag.ErrHelp) || !strings.Contains(usage.String(), "-model") {
		t.Errorf("-h: %v\n%s", err, usage.String())
	}
}
