module github.com/espalier-ml/espalier/bench

go 1.25

require (
	github.com/espalier-ml/espalier v0.0.0
	github.com/klauspost/cpuid/v2 v2.4.2
	github.com/yalue/onnxruntime_go v1.27.0
	gonum.org/v1/gonum v0.17.0
)

require golang.org/x/sys v0.41.0 // indirect

replace github.com/espalier-ml/espalier => ../
