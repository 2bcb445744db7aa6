module github.com/espalier-ml/espalier/gen

go 1.25
