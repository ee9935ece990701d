// Package metrics counts what the server answers and shows it to Prometheus.
//
// It owns the metrics listener: /metrics, /healthz (the process lives), /readyz
// (it can answer: the database does, and it is not stopping) and /debug/pprof. It
// promises that no label comes from a request: operations and codes are rows of
// tables, so that a client cannot make new series.
package metrics
