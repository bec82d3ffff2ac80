package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/memsup/memsup/internal/leak"
	"github.com/memsup/memsup/internal/trace"
)

// detector takes the rows of a recording in order, and says whether it changed its mind.
type detector func(trace.Row) (finding, bool)

// finding is a line of output.
type finding struct {
	Time      float64  `json:"time_s"`
	Suspected bool     `json:"suspected"`
	Rate      float64  `json:"growth_rate_mb_min"` // MB of 2^20 bytes
	Low       *float64 `json:"growth_rate_low,omitempty"`
	High      *float64 `json:"growth_rate_high,omitempty"`
	Class     string   `json:"class,omitempty"`
	ToLimit   *float64 `json:"time_to_limit_s,omitempty"`
	Evidence  string   `json:"evidence,omitempty"`
}

func (c *command) leak() *cobra.Command {
	var file, method string
	cmd := &cobra.Command{
		Use:   "leak --trace FILE.csv",
		Short: "Look for a leak in a recording of a service's memory",
		Long: `Look for a leak in a recording of a service's memory, without memsupd. It prints
a line of JSON whenever the verdict changes.

FILE.csv has the columns time_s, memory_current, anon, kernel, swap and procs, in
bytes, and 0 procs where the service is down. FILE.extra.csv beside it, if there
is one, has the same rows with time_s, shmem, sock and slab_reclaimable.
The environment variable LEAK_LIMIT_BYTES is the service's memory.max; 0 or
absent: there is none.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			limit, err := limitOf(os.Getenv("LEAK_LIMIT_BYTES"))
			if err != nil {
				return err
			}
			look, err := newDetector(method, limit)
			if err != nil {
				return err
			}
			err = c.lookForLeaks(file, look)
			if wrong := new(trace.Error); errors.As(err, &wrong) {
				return err
			}
			c.failure = err
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "trace", "", "the recording")
	cmd.Flags().StringVar(&method, "method", "trend", "trend, or threshold: more than 5 MB a minute over 10 samples")
	cobra.CheckErr(cmd.MarkFlagRequired("trace"))
	cobra.CheckErr(cmd.MarkFlagFilename("trace", "csv"))
	return cmd
}

func limitOf(text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	limit, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("LEAK_LIMIT_BYTES: %q is not a number of bytes", text)
	}
	return limit, nil
}

func (c *command) lookForLeaks(file string, look detector) (err error) {
	main, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("read the recording: %w", err)
	}
	defer func() { err = errors.Join(err, main.Close()) }()
	beside := trace.Source{Name: strings.TrimSuffix(file, ".csv") + ".extra.csv"}
	switch extra, absent := os.Open(beside.Name); {
	case absent == nil:
		defer func() { err = errors.Join(err, extra.Close()) }()
		beside.Reader = extra
	case !errors.Is(absent, fs.ErrNotExist):
		return fmt.Errorf("read the recording: %w", absent)
	}
	r, err := trace.NewReader(trace.Source{Name: file, Reader: main}, beside)
	if err != nil {
		return err
	}
	lines := json.NewEncoder(c.out)
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if found, changed := look(row); changed {
			if err := lines.Encode(found); err != nil {
				return err
			}
		}
	}
}

const mb = 1 << 20

// newDetector returns the detector of a method; limit is in bytes, 0: none.
func newDetector(method string, limit uint64) (detector, error) {
	switch method {
	case "trend":
		var d leak.Detector
		return func(row trace.Row) (finding, bool) {
			row.Sample.Limit = limit
			v, changed := d.Observe(row.At, row.Sample)
			return describe(row.At, v), changed
		}, nil
	case "threshold":
		var r leak.Threshold
		before := false
		return func(row trace.Row) (finding, bool) {
			if row.Sample.Procs == 0 {
				r.Restarted()
			}
			suspected, growth := r.Observe(row.At, row.Current)
			changed := suspected != before
			before = suspected
			return finding{Time: row.At.Seconds(), Suspected: suspected, Rate: growth / mb}, changed
		}, nil
	default:
		return nil, fmt.Errorf("--method %q is unknown: trend or threshold", method)
	}
}

func describe(at time.Duration, v leak.Verdict) finding {
	f := finding{Time: at.Seconds(), Suspected: v.Suspected}
	if !v.Suspected {
		return f
	}
	low, high := v.Rate.Low/mb, v.Rate.High/mb
	f.Rate, f.Low, f.High = v.Rate.Value/mb, &low, &high
	f.Class, f.Evidence = string(v.Class), v.Evidence()
	if v.ToLimit.Known {
		left := v.ToLimit.Value.Seconds()
		f.ToLimit = &left
	}
	return f
}
