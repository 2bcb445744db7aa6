module github.com/espalier-ml/espalier/bench

go 1.25.0

require (
	github.com/espalier-ml/espalier v0.0.0
	github.com/klauspost/cpuid/v2 v2.4.2
	github.com/yalue/onnxruntime_go v1.27.0
	gonum.org/v1/gonum v0.17.0
)

require google.golang.org/protobuf v1.36.12 // indirect

require (
	github.com/espalier-ml/espalier/onnx v0.0.0
	golang.org/x/sys v0.41.0 // indirect
)

replace github.com/espalier-ml/espalier => ../

replace github.com/espalier-ml/espalier/onnx => ../onnx
