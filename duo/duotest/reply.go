package duotest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"image"
	"image/png"
	"net/http"
	"strconv"
)

// reply is one HTTP answer. Its zero status says that there is none: the client
// has gone, or the connection is to break.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// write sends the answer, as far as the fault lets it through.
func (a *reply) write(w http.ResponseWriter, r *http.Request, f *Fault) {
	if a.status == 0 {
		panic(http.ErrAbortHandler)
	}
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	if f == nil || !f.Truncate && !f.Stall {
		_, _ = w.Write(a.body)
		return
	}
	_, _ = w.Write(a.body[:len(a.body)/2])
	if flusher, ok := w.(http.Flusher); ok {
		flusher.Flush()
	}
	if f.Stall {
		<-r.Context().Done()
	}
	panic(http.ErrAbortHandler)
}

func envelope(status int, v any) *reply {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // v is made of maps, strings and numbers
	}
	return &reply{status: status, header: http.Header{"Content-Type": {"application/json"}}, body: body}
}

// failure is an answer that says no. Its zero value is none at all.
type failure struct {
	code            int
	message, detail string
}

// messages are what the service says with its codes.
var messages = map[int]string{
	40000: "Bad request",
	40001: "Missing required request parameters",
	40002: "Invalid request parameters",
	40101: "Missing request credentials",
	40102: "Invalid integration key in request credentials",
	40103: "Invalid signature in request credentials",
	40104: "Missing request timestamp",
	40105: "Bad request timestamp",
	40106: "Invalid content type",
	40301: "Access forbidden",
	40401: "Resource not found",
	42901: "Too many requests",
	50000: "Server error",
}

func (f *failure) reply() *reply {
	if f.code == 0 {
		return &reply{header: make(http.Header)}
	}
	v := map[string]any{"stat": "FAIL", "code": f.code, "message": cmp.Or(f.message, messages[f.code])}
	if f.detail != "" {
		v["message_detail"] = f.detail
	}
	return envelope(f.code/100, v)
}

func missing(param string) *failure { return &failure{code: 40001, detail: param} }
func invalid(param string) *failure { return &failure{code: 40002, detail: param} }

// logo is a PNG image of one pixel.
func logo() []byte {
	var b bytes.Buffer
	_ = png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1))) // a Buffer takes all
	return b.Bytes()
}
