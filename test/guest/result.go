package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The result drive: a header of lines in its first block, and from filesOffset
// on a tar. recipe/finish writes it, the header last.
const (
	headerSize  = 512
	filesOffset = 64 << 10
	// resultSize is the drive's size, and so the most that can come back; the
	// file is sparse.
	resultSize = 1 << 30
)

// errNoResult means that the guest ended without writing a header.
var errNoResult = errors.New("the guest ended without a result")

// result is what became of the guest's command.
type result struct {
	code  int
	files bool // a tar follows
}

// parseResult reads the header:
//
//	memsup-guest 1
//	outcome exited CODE | lost SYSTEMD-RESULT
//	files none | tar | failed
//	end
//
// padded with NUL. Anything else is an error, errNoResult for a blank header.
func parseResult(header []byte) (result, error) {
	text := strings.TrimRight(string(header), "\x00")
	if text == "" {
		return result{}, errNoResult
	}
	lines := strings.Split(text, "\n")
	if len(lines) != 5 || lines[0] != "memsup-guest 1" || lines[3] != "end" || lines[4] != "" {
		return result{}, fmt.Errorf("result header %q: not of the expected form", text)
	}
	outcome := strings.Fields(lines[1])
	if len(outcome) == 3 && outcome[0] == "outcome" && outcome[1] == "lost" {
		return result{}, fmt.Errorf("the command's runner died in the guest: %s", outcome[2])
	}
	if len(outcome) != 3 || outcome[0] != "outcome" || outcome[1] != "exited" {
		return result{}, fmt.Errorf("result header: outcome %q", lines[1])
	}
	code, err := strconv.ParseUint(outcome[2], 10, 8)
	if err != nil {
		return result{}, fmt.Errorf("result header: exit code: %w", err)
	}
	switch lines[2] {
	case "files none":
		return result{code: int(code)}, nil
	case "files tar":
		return result{code: int(code), files: true}, nil
	case "files failed":
		return result{}, fmt.Errorf("the files in $GUEST_OUT did not fit into %d MiB", resultSize>>20)
	}
	return result{}, fmt.Errorf("result header: files %q", lines[2])
}
