module github.com/espalier-ml/espalier/onnx

go 1.25.0

require google.golang.org/protobuf v1.36.12

require (
	github.com/klauspost/cpuid/v2 v2.4.2 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sys v0.41.0 // indirect
)

require (
	github.com/espalier-ml/espalier v0.0.0-00010101000000-000000000000
	github.com/stretchr/testify v1.12.1
)

replace github.com/espalier-ml/espalier => ../
