//go:build race

package nn

// raceDetector: under it, a sync.Pool forgets at random.
const raceDetector = true
