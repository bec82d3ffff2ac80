// Command demo tells memsup's story on a real host: five Node services under
// load, one driven over its marks. It runs as root under systemd, in the guest or
// on a host that is meant for it, beside what the Makefile's build made.
//
// Its exit code says whether the story came true.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	err := tell(ctx, os.Getenv("DEMO_ONCE") != "")
	stop()
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "demo: the story did not come true:", err)
		os.Exit(1)
	}
}

// tell is the story, in order.
func tell(ctx context.Context, once bool) error {
	say("Installing memsupd, its configuration and the five services, as the README says.")
	if err := install(ctx); err != nil {
		return err
	}
	say("$ systemctl start memsupd walmart-api-server    (the others are its dependencies)")
	if err := command(ctx, "systemctl", "start", "memsupd", "walmart-api-server"); err != nil {
		return err
	}
	if err := waitRunning(ctx); err != nil {
		return err
	}
	say("$ memsupctl status")
	if err := command(ctx, "memsupctl", "status"); err != nil {
		return err
	}
	before, err := look(ctx, victim)
	if err != nil {
		return err
	}
	killed, err := oomKills()
	if err != nil {
		return err
	}

	load, err := startLoad(ctx)
	if err != nil {
		return err
	}
	defer load.stop()
	say("All five are under load. Now %s leaks 6 MB a second; a request that takes 15 s is in flight.", victim)
	slow := slowRequest(ctx)
	if err := post(ctx, troubleURL+"?leak=buffer:6M/s&leak_max=460M"); err != nil {
		return err
	}
	if err := followRestart(ctx, before); err != nil {
		return err
	}
	if err := <-slow; err != nil {
		return fmt.Errorf("the request in flight was dropped: %w", err)
	}
	say("The request that was in flight got its answer.")

	if err := load.verdict(); err != nil {
		return err
	}
	after, err := oomKills()
	if err != nil {
		return err
	}
	if after != killed {
		return fmt.Errorf("%d OOM kills", after-killed)
	}
	say("OOM kills: 0. The four neighbours were not touched.")
	if err := neighboursUntouched(ctx); err != nil {
		return err
	}
	say("$ journalctl -u walmart-%s    (memsupd's part of the story)", victim)
	if err := command(ctx, "journalctl", "--no-pager", "-o", "cat", "-u", "walmart-"+victim, "SYSLOG_IDENTIFIER=memsupd"); err != nil {
		return err
	}
	if once {
		say("So it went.")
		return nil
	}
	say("It goes on running: curl http://127.0.0.1:3007/metrics on your side. Ctrl-C ends it.")
	<-ctx.Done()
	return nil
}

var begun = time.Now()

func say(format string, args ...any) {
	fmt.Printf("\n[%5.1f s] "+format+"\n", append([]any{time.Since(begun).Seconds()}, args...)...)
}

func command(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", cmd, err)
	}
	return nil
}
