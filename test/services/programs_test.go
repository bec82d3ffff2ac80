package services_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The cache keeps 2000 entries, those used last.
func TestCacheKeepsWhatWasUsedLast(t *testing.T) {
	t.Parallel()
	const most = 2000
	p := start(t, "cache-warmer", "STILL=1")
	type entry struct {
		Cached bool
		Entry  struct {
			ID   int
			Name string
		}
	}
	want := func(id int, cached bool) {
		t.Helper()
		got := get[entry](p, fmt.Sprintf("/entries?id=%d", id))
		if got.Cached != cached || got.Entry.ID != id || got.Entry.Name != fmt.Sprintf("item %d", id) {
			t.Errorf("entry %d: got %+v, want cached %v", id, got, cached)
		}
	}
	want(0, false)
	p.pipeline(most-1, func(i int) string { return fmt.Sprintf("GET /entries?id=%d", i+1) })
	want(0, true)     // and so used later than 1
	want(most, false) // takes the place of 1
	want(0, true)
	want(1, false)
	if got, want := get[cache](p, "/cache"), (cache{Size: most, Hits: 2, Misses: most + 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, id := range []string{"20000", "-1", "1.5", "0x10", "1e3", ""} {
		p.refused(http.StatusBadRequest, "id: want a whole number from 0 to 19999", "GET", "/entries?id="+id, "")
	}
}

// pipeline sends n requests at once, such as "GET /x", and returns their answers.
func (p *process) pipeline(n int, request func(i int) string) []*http.Response {
	p.t.Helper()
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		p.t.Fatal(err)
	}
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, "%s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", request(i))
	}
	go io.WriteString(conn, all.String()) // what fails is missed below
	in, answers := bufio.NewReader(conn), make([]*http.Response, n)
	for i := range n {
		if answers[i], err = http.ReadResponse(in, nil); err != nil {
			p.t.Fatalf("answer %d: %v", i, err)
		}
		if _, err := io.Copy(io.Discard, answers[i].Body); err != nil {
			p.t.Fatalf("answer %d: %v", i, err)
		}
	}
	return answers
}

type queue struct{ Waiting, Running, Answered, Refused int }

type request struct {
	State  string
	Answer struct {
		Intent string
		Items  []struct {
			Word  string
			Times int
		}
	}
}

func TestQueueAnswers(t *testing.T) {
	t.Parallel()
	p := start(t, "nlp-queue", "STILL=1")
	id := answer[struct{ ID int }](p, "POST", "/requests", "Remind me: milk, oat MILK and 2 l more").ID
	var got request
	eventually(t, "the request is answered", func() (string, bool) {
		got = get[request](p, fmt.Sprintf("/requests?id=%d", id))
		return fmt.Sprintf("%+v", got), got.State == "done"
	})
	if s, want := fmt.Sprint(got.Answer), "{reminder [{remind 1} {milk 2} {more 1}]}"; s != want {
		t.Errorf("got %s, want %s", s, want)
	}
	if got := get[struct{ Intent string }](p, "/work?text=bread"); got.Intent != "list" {
		t.Errorf("/work: got %+v", got)
	}
	p.refused(http.StatusNotFound, "no request 7", "GET", "/requests?id=7", "")
	p.refused(http.StatusRequestEntityTooLarge, "want at most 4096 characters", "POST", "/requests", strings.Repeat("x", 4097))
	p.refused(http.StatusRequestEntityTooLarge, "want at most 1048576 bytes", "POST", "/requests", strings.Repeat("x", mib+1))
}

// A queue that is full says so, keeps what it took on, and takes more as soon as it can.
func TestQueueGivesBackPressure(t *testing.T) {
	t.Parallel()
	const sent, waiting, running = 800, 500, 4
	p := start(t, "nlp-queue", "STILL=1")
	refused := 0
	for i, r := range p.pipeline(sent, func(int) string { return "POST /requests" }) {
		switch {
		case r.StatusCode == http.StatusTooManyRequests && r.Header.Get("Retry-After") == "1" && i >= waiting:
			refused++
		case r.StatusCode != http.StatusOK:
			t.Fatalf("request %d: got %s %v", i, r.Status, r.Header)
		}
	}
	q := get[queue](p, "/queue")
	if refused == 0 || q.Refused != refused || q.Waiting > waiting || q.Running != running {
		t.Errorf("%d of %d were refused: %+v", refused, sent, q)
	}
	last := sent - refused
	if got := get[request](p, fmt.Sprintf("/requests?id=%d", last)); got.State != "waiting" {
		t.Errorf("the last that was taken on: got %+v", got)
	}
	eventually(t, "the last that was taken on is answered", func() (string, bool) {
		got := get[request](p, fmt.Sprintf("/requests?id=%d", last))
		return fmt.Sprintf("%+v", got), got.State == "done"
	})
	if id := answer[struct{ ID int }](p, "POST", "/requests", "more").ID; id != last+1 {
		t.Errorf("then: got %d, want %d", id, last+1)
	}
}

func TestPrices(t *testing.T) {
	t.Parallel()
	p := start(t, "pricing", "STILL=1")
	_, got := p.ask("POST", "/price", `{"store":42,"products":[{"sku":"W1","cost":2,"offers":[{"min":10,"off":0.5}]},{"sku":"W2","cost":0.33}]}`)
	if want := `{"store":42,"products":[{"sku":"W1","cost":2,"offers":[{"min":10,"off":0.5,"price":1.23}],"price":2.46},{"sku":"W2","cost":0.33,"price":0.41,"offers":[]}]}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	work := get[struct {
		Count int
		First struct{ Sku string }
	}](p, "/work?n=2000")
	if work.Count != 2000 || work.First.Sku != "W100000" {
		t.Errorf("/work: got %+v", work)
	}
	for _, c := range []struct {
		status     int
		body, want string
	}{
		{400, ``, "JSON"},
		{400, `{"products":[`, "JSON"},
		{400, `null`, "products: want an array of up to 2000 objects"},
		{400, `{"products":{}}`, "products: want an array"},
		{400, `{"products":[null]}`, "products: want an array"},
		{400, `{"products":[` + strings.Repeat(`{},`, 2000) + `{}]}`, "products: want an array"},
		{400, `{"products":[{"cost":1},{"cost":"1"}]}`, "products[1].cost: want a number from 0"},
		{400, `{"products":[{"sku":{"toString":1},"cost":-1}]}`, "products[0].cost: want a number from 0"},
		{400, `{"products":[{"cost":1,"offers":{}}]}`, "products[0].offers: want an array"},
		{400, `{"products":[{"cost":1,"offers":[null]}]}`, "products[0].offers: want an array"},
		{400, `{"products":[{"cost":1,"offers":[{"off":2}]}]}`, "off from 0 to 1"},
		{413, strings.Repeat(" ", mib+1), "body: want at most 1048576 bytes"},
	} {
		p.refused(c.status, c.want, "POST", "/price", c.body)
	}
}

type items struct{ Items []struct{ Name string } }

type found struct {
	Found []struct {
		List int
		Name string
	}
}

func TestListsAreKeptWithinBounds(t *testing.T) {
	t.Parallel()
	p := start(t, "api-server", "STILL=1")
	add := func(list int, name string) string {
		return fmt.Sprintf("POST /items?list=%d&name=%s", list, url.QueryEscape(name))
	}
	p.pipeline(101, func(i int) string { return add(7, fmt.Sprintf("item %d.", i)) })
	if got := get[items](p, "/items?list=7").Items; len(got) != 100 || got[0].Name != "item 1." || got[99].Name != "item 100." {
		t.Errorf("got %d items: %+v", len(got), got)
	}
	if got := get[items](p, "/items?list=8").Items; got == nil || len(got) != 0 {
		t.Errorf("a list that nobody wrote on: got %+v", got)
	}
	if got := get[struct{ Lists int }](p, "/lists").Lists; got != 1 {
		t.Errorf("got %d lists, want 1: reading makes none", got)
	}
	p.pipeline(1, func(int) string { return add(8, "what? milk & bread") })
	if got := get[found](p, "/search?q=what?%20milk").Found; fmt.Sprint(got) != "[{8 what? milk & bread}]" {
		t.Errorf("got %+v", got)
	}
	if got := get[found](p, "/search?q=item").Found; len(got) != 20 {
		t.Errorf("got %d found, want the first 20", len(got))
	}
	p.refused(http.StatusBadRequest, "list: want a whole number from 0 to 199", "POST", "/items?list=200&name=x", "")
	p.refused(http.StatusBadRequest, "name: want 1 to 200 characters", "POST", "/items?name="+strings.Repeat("x", 201), "")
	p.refused(http.StatusBadRequest, "name: want 1 to 200 characters", "POST", "/items", "")
}

// The API's quotes are priced by the pricing service, and made without while it is away.
func TestQuote(t *testing.T) {
	t.Parallel()
	pricing := start(t, "pricing", "STILL=1")
	p := start(t, "api-server", "STILL=1", "PRICING=http://"+pricing.addr)
	type quote struct {
		Priced   bool
		Products []struct {
			Sku         string
			Cost, Price float64
		}
	}
	if got, want := fmt.Sprint(get[quote](p, "/quote?n=2")), "{true [{W100002 0.5 0.62} {W100001 0.25 0.31}]}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	pricing.signal(syscall.SIGTERM)
	pricing.exit()
	if got, want := fmt.Sprint(get[quote](p, "/quote?n=2")), "{false [{W100002 0.5 0} {W100001 0.25 0}]}"; got != want {
		t.Errorf("without pricing: got %s, want %s", got, want)
	}
	p.awaitLine(`quote without prices: connect ECONNREFUSED`)
}
