// Package metrics exports a hub's numbers to Prometheus.
//
//	registry := prometheus.NewRegistry()
//	registry.MustRegister(metrics.Collector(h))
//	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
//
// Serve it where strangers cannot read it. It names no room and no member, but
// says how many there are.
package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"noom/signal/hub"
)

// The metrics, each with the labels it has.
var (
	openRooms        = desc("rooms", "Rooms that have members.")
	members          = desc("members", "Members of all rooms.")
	connections      = desc("connections", "Connections, those that have yet to join included.")
	frames           = desc("frames_total", "Frames taken from connections (in) and given to them (out), by type.", "direction", "type")
	bytes            = desc("bytes_total", "Bytes of those frames.", "direction")
	queuedFrames     = desc("queued_frames", "Frames that wait to be written, to all connections together.")
	queuedBytes      = desc("queued_bytes", "Bytes of those frames.")
	longestQueue     = desc("longest_queue_frames", "Frames that wait for the one connection that most wait for.")
	endedConnections = desc("connections_ended_total", "Connections that are over, by why: left, lost, silent, the reason of a bye, or the code of an error; too_slow for those that were cut.", "reason")
	hubs             = desc("cluster_hubs", "Hubs of the cluster that live, this one included.")
	clockApart       = desc("cluster_clock_apart_seconds", "How far the clock of another hub is ahead of this one's, or behind if negative: of the hub that differs most.")
	clusterMessages  = desc("cluster_messages_total", "Messages to other hubs (published, or lost before), and from them (taken, or ignored because no hub of this version says that).", "fate")
	joinTimes        = desc("join_seconds", "Time from a connection to its joined frame.")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("noom_hub_"+name, help, labels, nil)
}

// Collector makes a collector of a hub's [hub.Stats]. Hubs of one process go
// to one registry by [prometheus.WrapRegistererWith] a label that distinguishes them.
func Collector(h *hub.Hub) prometheus.Collector { return collector{h} }

type collector struct{ hub *hub.Hub }

// Describe implements [prometheus.Collector].
func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{openRooms, members, connections, frames, bytes, queuedFrames, queuedBytes, longestQueue, endedConnections, hubs, clockApart, clusterMessages, joinTimes} {
		out <- d
	}
}

// Collect implements [prometheus.Collector].
func (c collector) Collect(out chan<- prometheus.Metric) {
	s := c.hub.Stats()
	gauge := func(d *prometheus.Desc, n int) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n))
	}
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	gauge(openRooms, s.Rooms)
	gauge(members, s.Members)
	gauge(connections, s.Connections)
	gauge(queuedFrames, s.QueuedFrames)
	gauge(queuedBytes, s.QueuedBytes)
	gauge(longestQueue, s.LongestQueue)
	for kind, n := range s.FramesReceived {
		counter(frames, n, "in", string(kind))
	}
	for kind, n := range s.FramesSent {
		counter(frames, n, "out", string(kind))
	}
	counter(bytes, s.BytesReceived, "in")
	counter(bytes, s.BytesSent, "out")
	for why, n := range s.Ended {
		counter(endedConnections, n, why)
	}
	if c := s.Cluster; c != nil {
		gauge(hubs, c.Hubs)
		out <- prometheus.MustNewConstMetric(clockApart, prometheus.GaugeValue, c.ClockApart.Seconds())
		counter(clusterMessages, c.Published, "published")
		counter(clusterMessages, c.Lost, "lost")
		counter(clusterMessages, c.Taken, "taken")
		counter(clusterMessages, c.Ignored, "ignored")
	}
	out <- histogram(joinTimes, s.JoinTime)
}

// histogram adds up what the hub counts apart: a Prometheus bucket holds all
// that is at most its bound.
func histogram(d *prometheus.Desc, h hub.Histogram) prometheus.Metric {
	buckets := make(map[float64]uint64, len(h.Bounds))
	var n uint64
	for i, bound := range h.Bounds {
		n += h.Counts[i]
		buckets[bound.Seconds()] = n
	}
	return prometheus.MustNewConstHistogram(d, n+h.Over, h.Sum.Seconds(), buckets)
}
