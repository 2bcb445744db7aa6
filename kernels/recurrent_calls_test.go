package kernels

// recurrentCalls are the calls of recurrent cells of as many units as there are columns.
func recurrentCalls() []call {
	return []call{
		{"GRU", false, func(t *Table, o *operands) error {
			return t.GRU(o.out(), o.writes(o.rows, 3*o.cols), o.reads(o.rows, 3*o.cols), o.reads(o.rows, 3*o.cols), o.in())
		}},
		{"LSTM", false, func(t *Table, o *operands) error {
			return t.LSTM(o.out(), o.out(), o.writes(o.rows, 4*o.cols), o.reads(o.rows, 4*o.cols), o.reads(o.rows, 4*o.cols), o.in())
		}},
		{"GRUGrad", false, func(t *Table, o *operands) error {
			return t.GRUGrad(o.writes(o.rows, 3*o.cols), o.writes(o.rows, 3*o.cols), o.out(), o.in(), o.reads(o.rows, 3*o.cols), o.reads(o.rows, 3*o.cols), o.in())
		}},
		{"LSTMGrad", false, func(t *Table, o *operands) error {
			return t.LSTMGrad(o.writes(o.rows, 4*o.cols), o.out(), o.in(), o.reads(o.rows, 4*o.cols), o.in(), o.in())
		}},
	}
}
