package services_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/coder/websocket"
)

const messageMax = 16 << 10

func gateway(t *testing.T) *process {
	t.Helper()
	return start(t, "websocket", "STILL=1", "TROUBLE=1")
}

// Each of these leaves the gateway without clients to the next.
func TestGateway(t *testing.T) {
	t.Parallel()
	p := gateway(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, *process)
	}{
		{"tells all", tellsAll},
		{"answers ping between fragments", answersPingBetweenFragments},
		{"refuses the oversized", refusesTheOversized},
		{"refuses a handshake", handshakeIsRefused},
		{"refuses malformed frames", malformedFramesAreRefused},
		{"takes frames in pieces", framesInPieces},
		{"is full", isFull},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, p.in(t)) })
		p.awaitClients(0)
	}
	gatewayEnds(t, p)
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func (p *process) dial(ctx context.Context) *websocket.Conn {
	p.t.Helper()
	c, _, err := websocket.Dial(ctx, "ws://"+p.addr+"/ws", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

// hears reads one message from each.
func hears(ctx context.Context, t *testing.T, want string, clients ...*websocket.Conn) {
	t.Helper()
	for i, c := range clients {
		kind, got, err := c.Read(ctx)
		if err != nil || kind != websocket.MessageText || string(got) != want {
			t.Fatalf("client %d: got %v %.60q (%d bytes), %v, want %.60q", i, kind, got, len(got), err, want)
		}
	}
}

func says(ctx context.Context, t *testing.T, c *websocket.Conn, text string) {
	t.Helper()
	if err := c.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

type clients struct{ Clients, Sent, Slow int }

func (p *process) awaitClients(n int) {
	p.t.Helper()
	eventually(p.t, fmt.Sprintf("%d clients", n), func() (string, bool) {
		got := get[clients](p, "/clients")
		return fmt.Sprintf("%+v", got), got.Clients == n
	})
}

func tellsAll(t *testing.T, p *process) {
	ctx := within(t)
	a, b := p.dial(ctx), p.dial(ctx)
	p.awaitClients(2)
	for _, text := range []string{"hello", "", "Grüße, 世界", strings.Repeat("x", 125), strings.Repeat("x", 126), strings.Repeat("x", messageMax)} {
		says(ctx, t, a, text)
		hears(ctx, t, text, a, b)
	}
	if err := b.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Errorf("closing handshake: %v", err)
	}
	p.awaitClients(1)
	says(ctx, t, a, "alone")
	hears(ctx, t, "alone", a)

	get[struct{ Clients int }](p, "/work") // is announced
	if _, got, err := a.Read(ctx); err != nil || !strings.Contains(string(got), `"type":"work"`) {
		t.Errorf("got %s, %v", got, err)
	}
	if got, want := get[clients](p, "/clients"), (clients{Clients: 1, Sent: 8}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A ping is answered in the midst of a message in fragments.
func answersPingBetweenFragments(t *testing.T, p *process) {
	ctx := within(t)
	ear := p.dial(ctx)
	p.awaitClients(1)
	mouth := p.dial(ctx)
	heard := make(chan string, 1)
	go func() {
		_, got, err := mouth.Read(ctx) // pongs come by the way
		heard <- fmt.Sprint(string(got), " ", err)
	}()
	w, err := mouth.Writer(ctx, websocket.MessageText)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"one, ", "", "two, ", "thr", "ee \xe4", "\xb8\x96"} {
		if _, err := w.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
		if err := mouth.Ping(ctx); err != nil {
			t.Fatalf("ping after %q: %v", part, err)
		}
	}
	if len(heard) > 0 {
		t.Fatalf("before the message was whole: %s", <-heard)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	hears(ctx, t, "one, two, three 世", ear)
	if got, want := <-heard, "one, two, three 世 <nil>"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func refusesTheOversized(t *testing.T, p *process) {
	ctx := within(t)
	c, other := p.dial(ctx), p.dial(ctx)
	says(ctx, t, c, strings.Repeat("x", messageMax+1))
	if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
		t.Errorf("got %v, want close code 1009", err)
	}
	p.awaitClients(1)
	says(ctx, t, other, "still here")
	hears(ctx, t, "still here", other)
}

func gatewayEnds(t *testing.T, p *process) {
	ctx := within(t)
	polite, rude := p.dial(ctx), p.dialRaw()
	defer rude.Close() // it never answers the close
	p.awaitClients(2)
	p.signal(syscall.SIGTERM)
	if _, _, err := polite.Read(ctx); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("got %v, want close code 1001", err)
	}
	if code := p.exit(); code != 0 {
		t.Errorf("got exit code %d", code)
	}
}

// Who does not read is let go, while others go on.
func TestGatewayBuffersForNobodySlow(t *testing.T) {
	t.Parallel()
	p := gateway(t)
	talker, slow := p.dialRaw(), p.dialDeaf()
	defer talker.Close()
	defer slow.Close()
	p.awaitClients(2)
	const batch = 32
	said, text := 0, strings.Repeat(frame(0x81, strings.Repeat("x", messageMax)), batch)
	for get[clients](p, "/clients") != (clients{Clients: 1, Sent: said, Slow: 1}) {
		if said >= 32*mib/messageMax {
			t.Fatalf("after %d MiB: %+v", said*messageMax/mib, get[clients](p, "/clients"))
		}
		go io.WriteString(talker, text)
		if _, err := io.CopyN(io.Discard, talker.in, batch*(4+messageMax)); err != nil {
			t.Fatal(err)
		}
		said += batch
	}

	asker := p.dialDeaf()
	defer asker.Close()
	p.awaitClients(2)
	before := p.resident()
	// More than the kernel buffers; it may end early, because the service has had enough.
	if _, err := io.WriteString(asker, strings.Repeat(frame(0x89, strings.Repeat("?", 125)), 6*mib/131)); err != nil {
		t.Logf("asking: %v", err)
	}
	p.awaitClients(1)
	if grown := p.resident() - before; grown > 32*mib {
		t.Errorf("%d MiB more than before", grown/mib)
	}
}

func isFull(t *testing.T, p *process) {
	const most = 500
	var first net.Conn
	for range most {
		c, err := net.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := p.upgrade().Write(c); err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = c
		}
	}
	p.awaitClients(most)
	c, resp := p.handshake(net.Dialer{}, nil)
	defer c.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("client %d: got %s", most+1, resp.Status)
	}
	first.Close()
	p.awaitClients(most - 1)
	p.dialRaw().Close()
}
