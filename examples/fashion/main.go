// Fashion trains one network with two inputs and two tasks on 60,000 small pictures of clothes: which of ten articles is it, and
// of which group?
//
//	sudo apt-get install dataset-fashion-mnist      # once: 31 MB; on Debian and its kin
//	go run -C examples ./fashion
//
// An encoder of convolutions reads the picture, a dense layer a table of how bright its rows and columns are. Both meet below
// the two heads. The 10,000 pictures of the test are not looked at before the end.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"time"

	"github.com/espalier-ml/espalier/nn"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	var o options
	flag.StringVar(&o.folder, "data", "/usr/share/datasets/fashion-mnist", "read the pictures from this `folder`")
	flag.IntVar(&o.epochs, "epochs", 8, "train for this `many` epochs")
	flag.Uint64Var(&o.seed, "seed", 1, "`seed` of the weights and the order of the pictures")
	flag.Parse()
	if _, err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "fashion:", err)
		os.Exit(1)
	}
}

type options struct {
	folder string
	epochs int
	seed   uint64
}

// run trains a model and returns the logs of its test.
func run(ctx context.Context, o options, w io.Writer) (nn.Logs, error) {
	training, err := read(o.folder, "train")
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("the pictures are missing: sudo apt-get install dataset-fashion-mnist, or name their folder with -data: %w", err)
	}
	if err != nil {
		return nil, err
	}
	test, err := read(o.folder, "t10k")
	if err != nil {
		return nil, err
	}
	m, err := newModel(o.seed)
	if err != nil {
		return nil, err
	}
	if err := m.Summary(w); err != nil {
		return nil, err
	}
	start := time.Now()
	progress := nn.Callback{EpochEnd: func(p nn.Progress) error {
		_, err := fmt.Fprintf(w, "epoch %d of %d, %.0f s: article %.4f right, group %.4f right in training\n",
			p.Epoch+1, p.Epochs, time.Since(start).Seconds(), p.Logs["article_accuracy"], p.Logs["group_accuracy"])
		return err
	}}
	if _, err := m.Fit(ctx, training, nn.Epochs(o.epochs), nn.BatchSize(64), nn.Seed(o.seed), nn.Workers(runtime.GOMAXPROCS(0)), nn.Callbacks(progress)); err != nil {
		return nil, err
	}
	logs, err := m.Evaluate(ctx, test, nn.BatchSize(64))
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(w, "of pictures it has not seen: article %.4f right, group %.4f right\n", logs["article_accuracy"], logs["group_accuracy"])
	return logs, err
}

// newModel returns the network: an encoder of pictures beside one of tables, and two heads.
func newModel(seed uint64) (*nn.Model, error) {
	picture := nn.Input("picture", side, side, 1)
	table := nn.Input("table", 2*side)

	h := nn.Conv2D(24, [2]int{3, 3}, nn.ReLU, nn.Same).On(picture)
	h = nn.MaxPooling2D([2]int{2, 2}).On(h)
	h = nn.Conv2D(48, [2]int{3, 3}, nn.ReLU, nn.Same).On(h)
	h = nn.MaxPooling2D([2]int{2, 2}).On(h)
	h = nn.Dense(96, nn.ReLU).On(nn.Dropout(0.25).On(nn.Flatten().On(h)))
	h = nn.Dropout(0.25).On(nn.Concatenate().On(h, nn.Dense(32, nn.ReLU).On(table)))

	m, err := nn.NewModel([]*nn.Node{picture, table}, []*nn.Node{
		nn.Dense(len(articles), nn.Softmax, nn.Name("article")).On(h),
		nn.Dense(len(groups), nn.Softmax, nn.Name("group")).On(h),
	}, nn.Seed(seed))
	if err != nil {
		return nil, err
	}
	loss, accuracy := nn.SparseCategoricalCrossentropy(), []nn.Metric{nn.Accuracy()}
	return m, m.Compile(nn.Adam(1e-3), nn.Losses{"article": loss, "group": loss}, nn.Metrics{"article": accuracy, "group": accuracy})
}
