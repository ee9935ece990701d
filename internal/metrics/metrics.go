package metrics

import (
	"context"
	"net/http"
	"net/http/pprof"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// Metrics counts answers. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	known    sync.Map // of outcome: *series
}

// outcome is what answers are counted by.
type outcome struct {
	route  *httpapi.Route
	status int
	code   *errcode.Code
}

// series are the metrics of an outcome. They are looked up by their labels once.
type series struct {
	requests prometheus.Counter
	seconds  prometheus.Observer
}

// New makes the metrics of a process that runs the given version.
func New(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "narthex_requests_total",
			Help: "Answered requests by operation, HTTP status and row of the error catalogue (empty on success).",
		}, []string{"op", "status", "errcode"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "narthex_request_seconds",
			Help:    "Time from a request's head to its answer, by operation. A long poll counts with its wait.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 30},
		}, []string{"op"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "narthex_build_info", Help: "Always 1; the label says which version runs.",
		ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(m.requests, m.seconds, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Observe counts one answer. It is for httpapi.Server.Observe.
func (m *Metrics) Observe(a httpapi.Answer) {
	key := outcome{a.Route, a.Status, a.Code}
	found, ok := m.known.Load(key)
	if !ok {
		found, _ = m.known.LoadOrStore(key, m.seriesOf(a))
	}
	of := found.(*series)
	of.requests.Inc()
	of.seconds.Observe(a.Took.Seconds())
}

func (m *Metrics) seriesOf(a httpapi.Answer) *series {
	op, code := "none", ""
	if a.Route != nil {
		op = a.Route.Op
	}
	if a.Code != nil {
		code = a.Code.Key
	}
	return &series{m.requests.WithLabelValues(op, strconv.Itoa(a.Status), code), m.seconds.WithLabelValues(op)}
}

// readyTimeout is how long /readyz waits for the database.
const readyTimeout = 2 * time.Second

// Handler serves the metrics listener. Ready says whether the server can answer.
func (m *Metrics) Handler(ready func(context.Context) error) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "alive") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		if err := ready(ctx); err != nil {
			answer(w, http.StatusServiceUnavailable, "not ready: "+err.Error())
			return
		}
		answer(w, http.StatusOK, "ready")
	})
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // the client may have gone
}
