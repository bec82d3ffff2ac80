//go:build !race

package api

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"

	contract "github.com/memsup/memsup/api"
)

// openapi is api/openapi.yaml, which every answer that a test gets is held against.
var openapi = mustLoad()

// document is the contract, and which of its answers were seen.
type document struct {
	model     *v3.Document
	validator validator.Validator

	mu   sync.Mutex
	seen map[string]bool // "GET /health 200"
}

func mustLoad() *document {
	doc, err := libopenapi.NewDocument(contract.Document)
	if err != nil {
		panic(err)
	}
	model, err := doc.BuildV3Model()
	if err != nil {
		panic(err)
	}
	v, errs := validator.NewValidator(doc)
	if len(errs) > 0 {
		panic(errs)
	}
	return &document{model: &model.Model, validator: v, seen: map[string]bool{}}
}

func TestDocumentIsOpenAPI(t *testing.T) {
	if _, errs := openapi.validator.ValidateDocument(); len(errs) > 0 {
		t.Error(errs)
	}
}

// unseen returns the answers that are in the document and were not seen.
func (d *document) unseen() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for path, item := range d.model.Paths.PathItems.FromOldest() {
		for method, op := range item.GetOperations().FromOldest() {
			for status := range op.Responses.Codes.FromOldest() {
				if key := strings.ToUpper(method) + " " + path + " " + status; !d.seen[key] {
					out = append(out, key)
				}
			}
		}
	}
	return out
}

// route returns the path of the document that a request is for, "" for none.
func (d *document) route(r *http.Request) string {
	path := r.URL.Path
	if parts := strings.Split(path, "/"); len(parts) == 3 && parts[2] != "" {
		path = "/" + parts[1] + "/{service}"
	}
	item := d.model.Paths.PathItems.GetOrZero(path)
	if item == nil || item.GetOperations().GetOrZero(strings.ToLower(r.Method)) == nil {
		return ""
	}
	return path
}

// check holds a request and its answer against the document.
func (d *document) check(t testing.TB, r *http.Request, sent []byte, a answer) {
	t.Helper()
	head := r.Method == http.MethodHead
	r = r.Clone(r.Context())
	if head {
		r.Method = http.MethodGet
	}
	where := fmt.Sprintf("%s %s: %d", r.Method, r.URL, a.status)
	if a.status >= 400 && a.status != http.StatusServiceUnavailable && !head {
		checkProblem(t, where, a)
	}
	route := d.route(r)
	if route == "" {
		if a.status < 400 {
			t.Errorf("%s for what is not in the document", where)
		}
		return
	}
	d.mu.Lock()
	d.seen[fmt.Sprintf("%s %s %d", r.Method, route, a.status)] = true
	d.mu.Unlock()

	response := &http.Response{StatusCode: a.status, Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body))}
	if head {
		item := d.model.Paths.PathItems.GetOrZero(route)
		if item.Get.Responses.Codes.GetOrZero(strconv.Itoa(a.status)) == nil {
			t.Errorf("%s: a status that is not in the document", where)
		}
	} else if _, errs := d.validator.ValidateHttpResponse(r, response); len(errs) > 0 {
		t.Errorf("%s is not as in the document: %v\n%s", where, errs, a.body)
	}
	if a.status < 400 && len(sent) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(sent))
		if _, errs := d.validator.ValidateHttpRequestSync(r); len(errs) > 0 {
			t.Errorf("%s for a request that is not as in the document: %v\n%s", where, errs, sent)
		}
	}
}

// The check of answers must itself be able to fail.
func TestContractNoticesAnAnswerOfAnotherShape(t *testing.T) {
	for body, want := range map[string]bool{
		`{"services":[]}`:             false,
		`{"services":null}`:           true,
		`{"services":[],"more":1}`:    true,
		`{"services":[{"name":"a"}]}`: true,
	} {
		r, err := http.NewRequest(http.MethodGet, "http://127.0.0.1:3007/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, errs := openapi.validator.ValidateHttpResponse(r, &http.Response{
			StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)),
		})
		if (len(errs) > 0) != want {
			t.Errorf("%s: %v", body, errs)
		}
	}
}

func TestIndexNamesEveryOperation(t *testing.T) {
	h := serve(t, open(both()))
	a := h.get("/")
	for path := range openapi.model.Paths.PathItems.FromOldest() {
		if path != "/" && !strings.Contains(string(a.body), " "+path+" ") {
			t.Errorf("%s is not in\n%s", path, a.body)
		}
	}
	if got := h.get("/openapi.yaml"); !bytes.Equal(got.body, contract.Document) {
		t.Errorf("got %d and %d bytes", got.status, len(got.body))
	}
}

func TestEveryOperationChecksTheHost(t *testing.T) {
	l := both()
	h := serve(t, open(l))
	for path, item := range openapi.model.Paths.PathItems.FromOldest() {
		for method := range item.GetOperations().FromOldest() {
			path := strings.Replace(path, "{service}", "api-server", 1)
			if a := h.ask(h.tcp, strings.ToUpper(method), path, "", "Host: evil.example"); a.status != http.StatusMisdirectedRequest {
				t.Errorf("%s %s: %d", method, path, a.status)
			}
		}
	}
	if l.who() != "nobody" {
		t.Errorf("%s, for another host", l.who())
	}
}
