package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/narthex-matrix/narthex/internal/httpapi"
)

var (
	running  = prometheus.NewDesc("narthex_requests_running", "Requests that are worked on at this moment, by kind.", []string{"kind"}, nil)
	waiting  = prometheus.NewDesc("narthex_requests_waiting", "Requests that wait for their turn at this moment, by kind.", []string{"kind"}, nil)
	shedding = prometheus.NewDesc("narthex_shedding", "1 while requests of the kind, or of one that matters less, are refused because requests of the kind waited too long.", []string{"kind"}, nil)
	refused  = prometheus.NewDesc("narthex_requests_refused_total",
		"Requests refused because there was too much to do, by kind and reason: the queue was full, the wait too long (late), the kind shed, or too many wrote to one room.",
		[]string{"kind", "reason"}, nil)
)

// load shows what there is to do.
type load func() []httpapi.Load

// Watch shows how many requests run, wait and are refused. It is for
// httpapi.Admission.Loads.
func (m *Metrics) Watch(loads func() []httpapi.Load) { m.registry.MustRegister(load(loads)) }

// Describe is for Prometheus.
func (load) Describe(to chan<- *prometheus.Desc) {
	to <- running
	to <- waiting
	to <- shedding
	to <- refused
}

// Collect is for Prometheus.
func (f load) Collect(to chan<- prometheus.Metric) {
	for _, l := range f() {
		now := func(d *prometheus.Desc, v float64) {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, l.Kind)
		}
		now(running, float64(l.Running))
		now(waiting, float64(l.Waiting))
		sheds := 0.0
		if l.Shedding {
			sheds = 1
		}
		now(shedding, sheds)
		for why, n := range l.Refused {
			to <- prometheus.MustNewConstMetric(refused, prometheus.CounterValue, float64(n), l.Kind, why)
		}
	}
}
