package main

func reductions() []description { return []description{rowSum(), rowSumSquares(), colSum()} }

func rowSum() description {
	return rowReduction("rowSum", "dst[i] = sum of x[i,j] over j, in 16 lanes", func(k *kernel, sum, v reg) { k.add(sum, sum, v) })
}

func rowSumSquares() description {
	return rowReduction("rowSumSquares", "dst[i] = sum of x[i,j]² over j, in 16 lanes, each a chain of fma", func(k *kernel, sum, v reg) { k.mulAdd(sum, v, v, sum) })
}

// rowReduction describes a sum over each row to which take adds a vector.
func rowReduction(name, loop string, take func(k *kernel, sum, v reg)) description {
	return description{name, "rows, cols int, dst *float32, x *float32, xRow int", loop, func(k *kernel) {
		k.columns("cols")
		rows, dst, x := k.arg("rows"), k.arg("dst"), k.arg("x")
		sum, v := k.vec("sum"), k.vec("")
		total := k.uni("total")
		k.rows(rows, func() {
			k.set(sum, num(0))
			k.each(4, func(vectors int, at func(word, int) mem) {
				for i := range vectors {
					k.load(v, at(x, i))
					take(k, sum, v)
				}
			})
			k.foldAdd(total, sum)
			k.storeOne(mem{base: dst}, total)
		}, step{dst, 4}, step{x, "xRow"})
	}}
}

func colSum() description {
	return description{"colSum", "rows, cols int, dst *float32, x *float32, xRow int", "dst[j] += sum of x[i,j] over i", func(k *kernel) {
		k.columns("cols")
		rows, dst, x := k.arg("rows"), k.arg("dst"), k.arg("x")
		v := k.vec("")
		sums := []reg{k.vec("sums of columns"), k.vec("the next ones"), k.vec("the next ones"), k.vec("the next ones")}
		k.each(4, func(vectors int, at func(word, int) mem) {
			for i := range vectors {
				k.load(sums[i], at(dst, i))
			}
			k.setArg(rows, "rows")
			k.setArg(x, "x")
			k.rows(rows, func() {
				for i := range vectors {
					k.load(v, at(x, i))
					k.add(sums[i], sums[i], v)
				}
			}, step{x, "xRow"})
			for i := range vectors {
				k.store(at(dst, i), sums[i])
			}
		})
	}}
}
