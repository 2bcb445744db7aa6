package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/nn"
)

// checkRows prints how far the predictions of the source are from those of the target, and from those that the file has.
func (o options) checkRows(stdout io.Writer, m *nn.Model) error {
	inputs, expected, rows, err := readRows(o.check, m)
	if err != nil {
		return fmt.Errorf("%s: %w", o.check, err)
	}
	if o.target == "" && expected == nil {
		return fmt.Errorf("%s has no columns of outputs to compare with, and there is no target", o.check)
	}
	predicted, err := m.Predict(inputs)
	if err != nil {
		return err
	}
	if expected != nil {
		printDifference(stdout, fmt.Sprintf("%s and %s", o.source, o.check), m, rows, predicted, expected)
	}
	if o.target == "" {
		return nil
	}
	again, err := o.reload()
	if err != nil {
		return fmt.Errorf("what was written cannot be read again: %w", err)
	}
	written, err := again.Predict(inputs)
	if err != nil {
		return err
	}
	printDifference(stdout, fmt.Sprintf("%s and %s", o.source, o.target), m, rows, predicted, written)
	return nil
}

// reload returns the model of the target. Weights alone are set in a model read from the source, in place of zeros.
func (o options) reload() (*nn.Model, error) {
	f, err := formatOf(o.target)
	if err != nil {
		return nil, err
	}
	if !f.part {
		return read(o.target, nil)
	}
	again, err := o.load(io.Discard)
	if err != nil {
		return nil, err
	}
	for _, w := range again.Weights() {
		clear(w.Data)
	}
	_, err = f.weights(o.target, again)
	return again, err
}

// readRows reads the numbers of all inputs and, if there are so many columns, those of all outputs: nil if not. A first row that does not
// begin with a number has the names of the columns.
func readRows(path string, m *nn.Model) (inputs nn.Arrays, outputs map[string]kernels.Matrix, rows int, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, 0, err
	}
	defer file.Close()
	records, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return nil, nil, 0, err
	}
	line := 1
	if len(records) > 0 {
		if _, err := strconv.ParseFloat(records[0][0], 32); err != nil {
			records, line = records[1:], 2
		}
	}
	if len(records) == 0 {
		return nil, nil, 0, errors.New("has no rows")
	}
	in, out := features(m.Inputs()), features(m.Outputs())
	columns := len(records[0])
	if columns != in && columns != in+out {
		return nil, nil, 0, fmt.Errorf("has %d columns: the inputs need %d, inputs and outputs %d", columns, in, in+out)
	}
	table := kernels.NewMatrix(len(records), columns)
	for i, record := range records {
		for j, field := range record {
			v, err := strconv.ParseFloat(field, 32)
			if err != nil {
				return nil, nil, 0, fmt.Errorf("line %d, column %d: %q is not a number of 32 bits", line+i, j+1, field)
			}
			table.Row(i)[j] = float32(v)
		}
	}
	from := 0
	next := func(n *nn.Node) []float32 {
		var data []float32
		width := n.Shape().Elements()
		for i := range table.Rows {
			data = append(data, table.Row(i)[from:from+width]...)
		}
		from += width
		return data
	}
	inputs = nn.Arrays{}
	for i, n := range m.Inputs() {
		inputs[m.InputNames()[i]] = nn.Floats(next(n))
	}
	if columns > in {
		outputs = map[string]kernels.Matrix{}
		for i, n := range m.Outputs() {
			outputs[m.OutputNames()[i]] = kernels.MatrixOf(next(n), table.Rows, n.Shape().Elements())
		}
	}
	return inputs, outputs, table.Rows, nil
}

func features(nodes []*nn.Node) (sum int) {
	for _, n := range nodes {
		sum += n.Shape().Elements()
	}
	return sum
}

// printDifference says where a and b, which have the outputs of m, are farthest apart.
func printDifference(w io.Writer, what string, m *nn.Model, rows int, a, b map[string]kernels.Matrix) {
	largest, where := 0.0, ""
	for _, output := range m.OutputNames() {
		for i := range rows {
			for j, x := range a[output].Row(i) {
				y := b[output].Row(i)[j]
				d := math.Abs(float64(x) - float64(y))
				switch {
				case x == y || x != x && y != y:
					continue
				case d != d: // one of them is NaN
					d = math.Inf(1)
				}
				if d > largest {
					largest, where = d, fmt.Sprintf(" at row %d of output %q, column %d: %v and %v", i+1, output, j+1, x, y)
				}
			}
		}
	}
	fmt.Fprintf(w, "%s: largest difference %.3g in %d rows%s\n", what, largest, rows, where)
}
