package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// candidateCounts are the sizes of requests under which the service is measured.
var candidateCounts = []int{1, 32, maxCandidates}

// requestsOf returns several requests, each with the given number of candidates.
func requestsOf(candidates int) [][]byte {
	type plain struct {
		User       []float32   `json:"user"`
		Candidates [][]float32 `json:"candidates"`
	}
	var bodies [][]byte
	for seed := range uint64(8) {
		shown := impressions(candidates, 100+seed)
		q := plain{User: shown[0].user}
		for _, s := range shown {
			q.Candidates = append(q.Candidates, s.item)
		}
		b, err := json.Marshal(q)
		if err != nil {
			panic(err) // finite numbers
		}
		bodies = append(bodies, b)
	}
	return bodies
}

// A load is requests from several connections. Each sends the next one when it has the answer to the one before.
type load struct {
	url         string
	connections int
	duration    time.Duration
	candidates  int
	check       func(body []byte, answer []byte) error // may be nil
}

// A measurement is what a load found.
type measurement struct {
	candidates       int
	took             time.Duration
	request, scoring []time.Duration // sorted; scoring as the service reports it
}

func (l load) run(ctx context.Context) (measurement, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: l.connections}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	bodies := requestsOf(l.candidates)

	m := measurement{candidates: l.candidates}
	var mu sync.Mutex // guards m and failed
	var failed error
	var senders sync.WaitGroup
	start := time.Now()
	for c := range l.connections {
		senders.Go(func() {
			var mine measurement
			var err error
			for i := c; err == nil && ctx.Err() == nil && time.Since(start) < l.duration; i++ {
				err = l.send(ctx, client, bodies[i%len(bodies)], &mine)
			}
			mu.Lock()
			defer mu.Unlock()
			m.request, m.scoring = append(m.request, mine.request...), append(m.scoring, mine.scoring...)
			if err != nil && failed == nil {
				failed = err
			}
		})
	}
	senders.Wait()
	m.took = time.Since(start)
	slices.Sort(m.request)
	slices.Sort(m.scoring)
	if ctx.Err() != nil {
		return m, ctx.Err()
	}
	return m, failed
}

func (l load) send(ctx context.Context, client *http.Client, body []byte, m *measurement) error {
	start := time.Now()
	answer, header, err := post(ctx, client, l.url, body)
	if err != nil {
		return err
	}
	m.request = append(m.request, time.Since(start))
	text, found := strings.CutPrefix(header.Get("Server-Timing"), timingPrefix)
	ms, err := strconv.ParseFloat(text, 64)
	if !found || err != nil {
		return fmt.Errorf("%s: Server-Timing is %q, must be %sMILLISECONDS: is this a ranker?", l.url, header.Get("Server-Timing"), timingPrefix)
	}
	m.scoring = append(m.scoring, time.Duration(ms*1e6))
	if l.check == nil {
		return nil
	}
	return l.check(body, answer)
}

// post returns the answer to a request for scores.
func post(ctx context.Context, client *http.Client, url string, body []byte) ([]byte, http.Header, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/score", bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	response, err := client.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s/score: %s: %.200s", url, response.Status, answer)
	}
	return answer, response.Header, err
}

// quantile returns the smallest of the sorted times that the share q of them, which is not 0, does not exceed.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(math.Ceil(q*float64(len(sorted))))-1]
}

func printMeasurements(w io.Writer, all []measurement) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\t\t\trequest, µs\t\t\tscoring alone, µs\t\t\t")
	fmt.Fprintln(t, "candidates\trequests/s\tcandidates/s\tp50\tp99\tp99.9\tp50\tp99\tp99.9\t")
	for _, m := range all {
		rate := float64(len(m.request)) / m.took.Seconds()
		fmt.Fprintf(t, "%d\t%.0f\t%.0f\t", m.candidates, rate, rate*float64(m.candidates))
		for _, q := range []float64{0.5, 0.99, 0.999} {
			fmt.Fprintf(t, "%.0f\t", quantile(m.request, q).Seconds()*1e6)
		}
		for _, q := range []float64{0.5, 0.99, 0.999} {
			fmt.Fprintf(t, "%.1f\t", quantile(m.scoring, q).Seconds()*1e6)
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

// loadOnly measures a service that somebody else has started.
func loadOnly(ctx context.Context, o options, stdout io.Writer) error {
	var all []measurement
	for _, n := range candidateCounts {
		l := load{url: strings.TrimSuffix(o.load, "/"), connections: o.connections, duration: o.duration / time.Duration(len(candidateCounts)), candidates: n}
		m, err := l.run(ctx)
		if err != nil {
			return err
		}
		all = append(all, m)
	}
	fmt.Fprintf(stdout, "%d connections, each sends when it has its answer; sent from %d processors\n\n", o.connections, runtime.NumCPU())
	return printMeasurements(stdout, all)
}
