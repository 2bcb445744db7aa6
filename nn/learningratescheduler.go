package nn

import "fmt"

// LearningRateScheduler sets the learning rate before each epoch to what a function makes of the number of the epoch, from 0,
// and of the rate so far, as Keras' callback of that name does. Its log "learning_rate" is the rate of the epoch. The rate stays
// after Fit.
//
// A [Schedule], part of the optimizer, changes the rate from step to step; it gives way to the number that is set here.
func LearningRateScheduler(rate func(epoch int, rate float64) float64) Callback {
	return Callback{
		Logs: []string{"learning_rate"},
		EpochBegin: func(p Progress) error {
			if rate == nil {
				return fmt.Errorf("LearningRateScheduler: the function is nil")
			}
			if err := p.Model.SetLearningRate(rate(p.Epoch, p.Model.LearningRate())); err != nil {
				return fmt.Errorf("LearningRateScheduler: epoch %d: %w", p.Epoch, err)
			}
			return nil
		},
		EpochEnd: func(p Progress) error {
			p.Logs["learning_rate"] = p.Model.LearningRate()
			return nil
		},
	}
}
