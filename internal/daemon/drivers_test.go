package daemon

import "testing"

func TestSubtreeOf(t *testing.T) {
	for own, want := range map[string]string{
		"/":                             "/", // a container's own
		"/memsupd.main":                 "/", // and a memsupd started again in it
		"/system.slice/memsupd.service": "/system.slice/memsupd.service",
		"/system.slice/memsupd.service/memsupd.main": "/system.slice/memsupd.service",
		"/memsupd": "/memsupd",
	} {
		if got := subtreeOf(own); got != want {
			t.Errorf("started in %s: %s, want %s", own, got, want)
		}
	}
}
