package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/nn"
)

// demo starts this program as a service, puts load on it while its model changes, and prints what it measured. An answer
// that is not, byte for byte, the one of a model that was served is an error.
func demo(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "ranker-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	served := filepath.Join(dir, modelFile)
	contents, err := twoModels()
	if err != nil {
		return err
	}
	answers, err := answersOf(dir, contents)
	if err != nil {
		return err
	}
	if err := os.WriteFile(served, contents[0], 0o644); err != nil {
		return err
	}

	// The service, which from now on has stderr for its log, and the time until it has answered once.
	fmt.Fprintf(stderr, "ranker: starting a service and putting load on it for %s\n", o.duration)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	start := time.Now()
	service := exec.CommandContext(ctx, program, "-addr", "127.0.0.1:0", "-model", served)
	service.Stderr = stderr
	service.Cancel = func() error { return service.Process.Signal(os.Interrupt) }
	service.WaitDelay = 15 * time.Second
	output, err := service.StdoutPipe()
	if err != nil {
		return err
	}
	if err := service.Start(); err != nil {
		return err
	}
	defer func() {
		cancel()
		if ended := service.Wait(); err == nil && !errors.Is(ended, context.Canceled) { // which stands for a graceful end
			err = fmt.Errorf("the service: %w", ended)
		}
	}()
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		return fmt.Errorf("the service has not started: %w", err)
	}
	url := strings.TrimPrefix(strings.TrimSpace(line), servingPrefix)
	client := &http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	if _, _, err := post(ctx, client, url, requestsOf(1)[0]); err != nil {
		return err
	}
	started := time.Since(start)

	// The load, and beside it a new model every tenth of the time; the fifth file is broken.
	swapping, stopSwapping := context.WithCancel(ctx)
	defer stopSwapping()
	swapped := make(chan error, 1)
	go func() { swapped <- swapModels(swapping, client, url, service.Process, served, contents, o.duration/10) }()
	var all []measurement
	for _, n := range candidateCounts {
		l := load{url: url, connections: o.connections, duration: o.duration / time.Duration(len(candidateCounts)), candidates: n}
		l.check = func(body, answer []byte) error {
			for _, known := range answers[string(body)] {
				if bytes.Equal(answer, known) {
					return nil
				}
			}
			return fmt.Errorf("%.80q was answered with %.80q, which is from neither model", body, answer)
		}
		m, err := l.run(ctx)
		if err != nil {
			return err
		}
		all = append(all, m)
	}
	stopSwapping()
	if err := <-swapped; err != nil {
		return err
	}
	h, err := healthOf(ctx, client, url)
	if err != nil {
		return err
	}

	fmt.Fprintf(stdout, "\n%s/%s, %s kernels, %d processors, which service and load share; %s\n", runtime.GOOS, runtime.GOARCH, kernels.Default().ISA, runtime.NumCPU(), runtime.Version())
	fmt.Fprintf(stdout, "%d connections, each sends when it has its answer; %d models swapped in under load; broken files refused: %d\n\n", o.connections, h.Reloads, h.Refused)
	if err := printMeasurements(stdout, all); err != nil {
		return err
	}
	fmt.Fprintln(stdout)
	return printFacts(stdout, program, started)
}

// twoModels returns the file of the embedded model, and that of one that expects a minute more of every item.
func twoModels() ([2][]byte, error) {
	var files [2][]byte
	m, err := nn.LoadFS(models, modelFile)
	if err != nil {
		return files, err
	}
	for i := range files {
		var b bytes.Buffer
		if _, err := m.WriteTo(&b); err != nil {
			return files, err
		}
		files[i] = b.Bytes()
		for _, w := range m.Weights() {
			if w.Name == "minutes/bias" {
				w.Data[0]++
			}
		}
	}
	return files, nil
}

// answersOf returns what the models answer to the requests of the load.
func answersOf(dir string, contents [2][]byte) (map[string][][]byte, error) {
	answers := map[string][][]byte{}
	for i, content := range contents {
		path := filepath.Join(dir, fmt.Sprintf("model_%d.safetensors", i))
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return nil, err
		}
		s, err := newService(path)
		if err != nil {
			return nil, err
		}
		for _, n := range candidateCounts {
			for _, body := range requestsOf(n) {
				k := newWork()
				if err := k.read(bytes.NewReader(body)); err != nil {
					return nil, err
				}
				if err := k.score(s.serving); err != nil {
					return nil, err
				}
				if err := k.encode(); err != nil {
					return nil, err
				}
				answers[string(body)] = append(answers[string(body)], k.body.Bytes())
			}
		}
	}
	return answers, nil
}

// swapModels puts another model in the service's file, asks it to reload and waits until it has.
func swapModels(ctx context.Context, client *http.Client, url string, service *os.Process, path string, contents [2][]byte, every time.Duration) error {
	const broken = 5
	for i := 1; ; i++ {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(every):
		}
		content := contents[i%2]
		if i == broken {
			content = content[:len(content)/2]
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
		if err := service.Signal(syscall.SIGHUP); err != nil {
			return fmt.Errorf("asking the service to reload: %w", err)
		}
		for {
			h, err := healthOf(ctx, client, url)
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
			if h.Reloads+h.Refused == int64(i) {
				if want := min(int64(i/broken), 1); h.Refused != want {
					return fmt.Errorf("the service has refused %d files of %d, must refuse %d", h.Refused, i, want)
				}
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
}

func healthOf(ctx context.Context, client *http.Client, url string) (health, error) {
	var h health
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/healthz", nil)
	if err != nil {
		return h, err
	}
	response, err := client.Do(r)
	if err != nil {
		return h, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return h, fmt.Errorf("%s/healthz: %s", url, response.Status)
	}
	return h, json.NewDecoder(response.Body).Decode(&h)
}

// printFacts prints what needs no load.
func printFacts(w io.Writer, program string, started time.Duration) error {
	binary, err := os.Stat(program)
	if err != nil {
		return err
	}
	s, err := newService("")
	if err != nil {
		return err
	}
	k, body, failed := newWork(), requestsOf(maxCandidates)[0], error(nil)
	keep := func(err error) {
		if err != nil {
			failed = err
		}
	}
	reading := allocations(100, func() { keep(k.read(bytes.NewReader(body))) })
	scoring := allocations(1000, func() { keep(k.score(s.serving)) })
	writing := allocations(100, func() { keep(k.encode()) })
	session := allocated(func() { s.serving.Plan().NewSession() })
	if failed != nil {
		return failed
	}

	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "allocations, %d candidates\t%d for scoring; %d for decoding the JSON, %d for encoding it, and those of net/http\n", maxCandidates, scoring, reading, writing)
	fmt.Fprintf(t, "start of the process to first answer\t%.1f ms, with the file of the model and one HTTP request\n", started.Seconds()*1e3)
	fmt.Fprintf(t, "binary\t%.1f MB, with service, training, load and model (go run leaves out debug information)\n", float64(binary.Size())/1e6)
	fmt.Fprintf(t, "memory of a session\t%.0f kB, for up to %d candidates; one for each request that is scored at the same time\n", float64(session)/1e3, maxCandidates)
	return t.Flush()
}

// allocations returns how often a call allocates, as testing.AllocsPerRun does, which this program leaves to its tests.
func allocations(runs uint64, call func()) uint64 {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var before, after runtime.MemStats
	call()
	runtime.ReadMemStats(&before)
	for range runs {
		call()
	}
	runtime.ReadMemStats(&after)
	return (after.Mallocs - before.Mallocs) / runs
}

// allocated returns the bytes that a call allocates.
func allocated(call func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	call()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
