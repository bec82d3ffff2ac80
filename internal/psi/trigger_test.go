package psi

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var stalled = Trigger{Kind: Some, Stall: 150 * time.Millisecond, Window: time.Second}

func TestTriggerValidate(t *testing.T) {
	for name, tc := range map[string]struct {
		t                        Trigger
		privileged, unprivileged bool // whether it is valid
	}{
		"the document's example":     {stalled, true, false},
		"whole window":               {Trigger{Full, 2 * time.Second, 2 * time.Second}, true, true},
		"smallest":                   {Trigger{Some, time.Microsecond, MinWindow}, true, false},
		"largest":                    {Trigger{Some, time.Second, MaxWindow}, true, true},
		"window too short":           {Trigger{Some, time.Millisecond, MinWindow - time.Microsecond}, false, false},
		"window too long":            {Trigger{Some, time.Millisecond, MaxWindow + 2*time.Second}, false, false},
		"stall longer than a window": {Trigger{Some, 2*time.Second + time.Microsecond, 2 * time.Second}, false, false},
		"no stall":                   {Trigger{Some, 0, 2 * time.Second}, false, false},
		"negative stall":             {Trigger{Some, -time.Second, 2 * time.Second}, false, false},
		"below a microsecond":        {Trigger{Some, 1500, 2 * time.Second}, false, false},
		"no kind":                    {Trigger{"", time.Second, 2 * time.Second}, false, false},
		"a kind with a line":         {Trigger{"some 1 1\nfull", time.Second, 2 * time.Second}, false, false},
	} {
		for privileged, valid := range map[bool]bool{true: tc.privileged, false: tc.unprivileged} {
			if err := tc.t.Validate(privileged); (err == nil) != valid {
				t.Errorf("%s: Validate(%v) = %v, want valid %v", name, privileged, err, valid)
			}
		}
	}
}

// The kernel overwrites the last byte that it is given: it must be a NUL.
func TestArmWritesTheNUL(t *testing.T) {
	file := filepath.Join(t.TempDir(), "memory.pressure")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := arm(unix.AT_FDCWD, file, stalled)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Close(fd); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if want := "some 150000 1000000\x00"; err != nil || string(got) != want {
		t.Errorf("wrote %q, %v; want %q", got, err, want)
	}
}

func TestErrnosHaveNames(t *testing.T) {
	if err := stalled.translate(unix.EOPNOTSUPP); !errors.Is(err, ErrDisabled) || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("EOPNOTSUPP: %v, want ErrDisabled, which is unsupported", err)
	}
	if err := stalled.translate(unix.EPERM); !errors.Is(err, ErrPrivilege) || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("EPERM: %v, want ErrPrivilege, which is a permission", err)
	}
	if err := stalled.translate(unix.EINVAL); !errors.Is(err, ErrPrivilege) {
		t.Errorf("EINVAL for a window of %v: %v, want ErrPrivilege", stalled.Window, err)
	}
	if err := (Trigger{Some, time.Second, 2 * time.Second}).translate(unix.EINVAL); errors.Is(err, ErrPrivilege) {
		t.Errorf("EINVAL for a window that needs no privilege: %v", err)
	}
	if err := stalled.translate(unix.EIO); !errors.Is(err, unix.EIO) {
		t.Errorf("EIO became %v", err)
	}
	const want = "PSI: the kernel keeps no pressure stall information; boot with psi=1"
	if got := ErrDisabled.Error(); got != want {
		t.Errorf("ErrDisabled = %q, want %q", got, want)
	}
}
