package main

import (
	"math"
	"math/rand/v2"
)

// The features of a user and of an item, in the order in which requests list them. All have a scale of about 1.
var (
	userFeatures = []string{"taste_0", "taste_1", "taste_2", "taste_3", "age", "phone", "hour_sin", "hour_cos"}
	itemFeatures = []string{"topic_0", "topic_1", "topic_2", "topic_3", "length", "freshness"}
)

// An impression is an item that was shown to a user, and what came of it.
type impression struct {
	user, item []float32
	clicked    bool
	minutes    float32 // watched; 0 without a click

	probability float64 // of the click, which only the generator knows
}

// impressions draws a log of n impressions:
//
//   - tastes, topics, age and length are normal; a phone is as likely as none; the hour and the freshness are uniform.
//   - Taste meets topic in match = taste·topic / 2.
//   - A click has the odds exp(1.5·match + freshness - 0.6·phone·length + 0.4·hour_sin - 1.5): people on phones shun what is
//     long.
//   - A click is watched for 4·exp(0.4·length + 0.3·match - 0.3·phone + 0.2·age) minutes on average, times a log-normal
//     factor of mean 1 and sigma 0.3.
func impressions(n int, seed uint64) []impression {
	r := rand.New(rand.NewPCG(seed, 0))
	shown := make([]impression, n)
	for i := range shown {
		var taste, topic [4]float64
		match := 0.0
		for k := range taste {
			taste[k], topic[k] = r.NormFloat64(), r.NormFloat64()
			match += taste[k] * topic[k] / 2
		}
		age, length := r.NormFloat64(), r.NormFloat64()
		phone, freshness := float64(r.IntN(2)), r.Float64()
		sin, cos := math.Sincos(2 * math.Pi * r.Float64())

		s := &shown[i]
		s.user = floats(taste[0], taste[1], taste[2], taste[3], age, phone, sin, cos)
		s.item = floats(topic[0], topic[1], topic[2], topic[3], length, freshness)
		s.probability = 1 / (1 + math.Exp(-(1.5*match + freshness - 0.6*phone*length + 0.4*sin - 1.5)))
		if s.clicked = r.Float64() < s.probability; s.clicked {
			const sigma = 0.3
			mean := 4 * math.Exp(0.4*length+0.3*match-0.3*phone+0.2*age)
			s.minutes = float32(mean * math.Exp(sigma*r.NormFloat64()-sigma*sigma/2))
		}
	}
	return shown
}

func floats(values ...float64) []float32 {
	all := make([]float32, len(values))
	for i, v := range values {
		all[i] = float32(v)
	}
	return all
}
