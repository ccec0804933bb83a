package credentials

import (
	"github.com/prometheus/client_golang/prometheus"
)

const (
	dialectFinal   = "1.0"
	dialectDraft13 = "draft13"
)

// Dialects counts requests by what wallets speak, so that one sees when the older
// dialect can be switched off.
type Dialects struct {
	requests *prometheus.CounterVec
	last     *prometheus.GaugeVec
}

func newDialects() *Dialects {
	names := []string{"dialect"}
	d := &Dialects{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "plinth", Name: "credential_requests_total", Help: "Credential requests by dialect of OpenID4VCI."}, names),
		last:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "plinth", Name: "credential_request_last_seconds", Help: "When a dialect of OpenID4VCI was last spoken."}, names),
	}
	for _, name := range []string{dialectFinal, dialectDraft13} {
		d.requests.WithLabelValues(name)
	}
	return d
}

func (d *Dialects) count(dialect string) {
	d.requests.WithLabelValues(dialect).Inc()
	d.last.WithLabelValues(dialect).SetToCurrentTime()
}

// Describe makes Dialects a collector.
func (d *Dialects) Describe(all chan<- *prometheus.Desc) {
	d.requests.Describe(all)
	d.last.Describe(all)
}

// Collect makes Dialects a collector.
func (d *Dialects) Collect(all chan<- prometheus.Metric) {
	d.requests.Collect(all)
	d.last.Collect(all)
}
