package daemon

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestListensInPlaceOfAKilledDaemonsSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "s")
	first, err := listen(t.Context(), "127.0.0.1:0", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range first {
		if u, ok := l.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false) // as a kill leaves it
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	again, err := listen(t.Context(), "", path)
	if err != nil {
		t.Fatal(err)
	}
	defer again[0].Close()
	if len(again) != 1 {
		t.Fatalf("%d listeners without an address", len(again))
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o666 {
		t.Errorf("whoever asks may connect: %v, %v", st.Mode(), err)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestAFileThatIsNoSocketIsNotRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(path, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(t.Context(), "", path); err == nil {
		t.Error("listened over a file")
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "data" {
		t.Errorf("the file is %q, %v", b, err)
	}
}
