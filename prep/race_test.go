//go:build race

package prep

// raceDetector: under it, a sync.Pool forgets at random.
const raceDetector = true
