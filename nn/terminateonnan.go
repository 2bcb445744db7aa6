package nn

import "errors"

// TerminateOnNaN ends training at the first loss, gradient or weight that is not finite, as Keras' callback of that name does:
// Fit then returns the history so far without the error [ErrNonFinite], and the other callbacks see the end of training.
// Unlike in Keras, a step that fails has changed no weight.
type TerminateOnNaN struct{}

// Callback returns the callback for Fit.
func (TerminateOnNaN) Callback() Callback {
	return Callback{Failed: func(_ Progress, err error) error {
		if errors.Is(err, ErrNonFinite) {
			return ErrStop
		}
		return err
	}}
}
