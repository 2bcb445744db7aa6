package kernels

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Pool lets several cores share large calls: a [Scratch] that names it does so for the products of the SIMD levels. Results
// have the same bits with any number of workers. Any number of goroutines may use one Pool: it shares one call at a time,
// and a caller that finds it busy does the work alone, as it does what no worker has time to begin.
//
// The zero Pool has one worker, the caller.
//
// Workers watch for work for some microseconds after the last one and sleep then, so a Pool that is not used costs
// the memory of its goroutines.
type Pool struct {
	workers int
	busy    sync.Mutex    // held by the caller whose job it is
	ticket  atomic.Uint64 // the job's number, and in the low half how many of its parts nobody has begun
	left    atomic.Int64  // parts that are not finished
	do      func(part int)
	asleep  atomic.Int64
	wake    chan struct{}
	closed  atomic.Bool
	stop    chan struct{}
}

// NewPool returns a Pool with this many workers. The calling goroutine is one of them; the others are goroutines that run
// until [Pool.Close].
func NewPool(workers int) *Pool {
	p := &Pool{workers: max(1, workers), stop: make(chan struct{})}
	p.wake = make(chan struct{}, p.workers)
	for range p.workers - 1 {
		go p.work()
	}
	return p
}

// Workers returns how many workers share a call, the caller included.
func (p *Pool) Workers() int { return max(1, p.workers) }

// Close ends the goroutines of p. Later calls are done by their callers.
func (p *Pool) Close() {
	if p.closed.CompareAndSwap(false, true) && p.stop != nil {
		close(p.stop)
	}
}

// Do calls do for each part from 0 to parts-1, once, on several goroutines, and returns when all are done. do
// must not panic.
func (p *Pool) Do(parts int, do func(part int)) {
	if parts <= 1 || p.workers <= 1 || p.closed.Load() || !p.busy.TryLock() {
		for i := range parts {
			do(i)
		}
		return
	}
	defer p.busy.Unlock()
	p.do = do
	p.left.Store(int64(parts))
	number := p.ticket.Load()>>32 + 1
	p.ticket.Store(number<<32 | uint64(parts)) // from here on workers take parts
	for range min(int64(parts-1), p.asleep.Load()) {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
	for p.take() {
	}
	for looks := 1; p.left.Load() > 0; looks++ {
		if looks%watch == 0 { // rarely: a goroutine that is locked to its thread pays a switch of threads
			runtime.Gosched()
		}
	}
	p.do = nil
}

// take does one part, if there is one that nobody has begun. A part that is begun keeps the job alive until it is done.
func (p *Pool) take() bool {
	for {
		t := p.ticket.Load()
		left := uint32(t)
		if left == 0 {
			return false
		}
		if p.ticket.CompareAndSwap(t, t-1) {
			p.do(int(left - 1))
			p.left.Add(-1)
			return true
		}
	}
}

// watch is how often a worker looks for work before it sleeps, about 50 us, and its caller for the end of the work before
// it yields.
const watch = 1 << 14

func (p *Pool) work() {
	for {
		for looks := 0; looks < watch; looks++ {
			if p.take() {
				looks = 0
			} else if looks%256 == 255 {
				runtime.Gosched()
			}
			if p.closed.Load() {
				return
			}
		}
		p.asleep.Add(1)
		if uint32(p.ticket.Load()) > 0 { // came before anybody could see the sleeper
			p.asleep.Add(-1)
			continue
		}
		select {
		case <-p.wake:
			p.asleep.Add(-1)
		case <-p.stop:
			return
		}
	}
}
