package metrics_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"noom"
	"noom/signal"
	"noom/signal/hub"
	"noom/signal/hub/metrics"
	"noom/transport/mem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCollector(t *testing.T) {
	h := hub.New(&hub.Config{Limits: signal.Limits{Members: 2}})
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics.Collector(h))
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}

	join := func(name string) noom.Room {
		r, err := noom.Join(t.Context(), mem.Dialer(h), "데모", &noom.Config{Name: name, Verify: func(noom.Member) error {
			return errors.New("no connections: this test is about the hub")
		}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	a, b := join("지우"), join("bob")
	if _, err := noom.Join(t.Context(), mem.Dialer(h), "데모", nil); err == nil {
		t.Error("the room is not full")
	}
	if err := a.Chat(t.Context(), "안녕"); err != nil {
		t.Fatal(err)
	}
	expect := func(names []string, want string) {
		t.Helper()
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), names...); err != nil {
			t.Error(err)
		}
	}
	expect([]string{"noom_hub_rooms", "noom_hub_members"}, `
# HELP noom_hub_members Members of all rooms.
# TYPE noom_hub_members gauge
noom_hub_members 2
# HELP noom_hub_rooms Rooms that have members.
# TYPE noom_hub_rooms gauge
noom_hub_rooms 1
`)
	h.CloseRoom("데모")
	<-a.Done()
	<-b.Done()
	if err := h.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	got := values(t, registry)
	for name, want := range map[string]float64{
		`noom_hub_frames_total{direction="in",type="join"}`:     3,
		`noom_hub_frames_total{direction="in",type="chat"}`:     1,
		`noom_hub_frames_total{direction="out",type="bye"}`:     2,
		`noom_hub_frames_total{direction="out",type="joined"}`:  2,
		`noom_hub_frames_total{direction="out",type="welcome"}`: 1,
		`noom_hub_connections_ended_total{reason="closed"}`:     2,
		`noom_hub_connections_ended_total{reason="room_full"}`:  1,
		`noom_hub_connections_ended_total{reason="too_slow"}`:   0,
		`noom_hub_connections`:                                  0,
		`noom_hub_members`:                                      0,
		`noom_hub_queued_frames`:                                0,
		`noom_hub_join_seconds`:                                 2,
	} {
		if n, ok := got[name]; !ok || n != want {
			t.Errorf("%s is %v (there: %v), want %v", name, n, ok, want)
		}
	}
	if n := got[`noom_hub_bytes_total{direction="in"}`]; n < 400 {
		t.Errorf("%v bytes came in", n)
	}
}

// values gives each metric by name and labels; of a histogram, how many were
// observed.
func values(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+`="`+l.GetValue()+`"`)
			}
			name := f.GetName()
			if len(labels) > 0 {
				name += "{" + strings.Join(labels, ",") + "}"
			}
			all[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return all
}

// A hub of a cluster has numbers of that too.
func TestClusterMetrics(t *testing.T) {
	var bus mem.Bus
	h := hub.New(&hub.Config{Cluster: &hub.Cluster{Backplane: bus.Join()}})
	over, cancel := context.WithCancel(t.Context())
	cancel()
	defer func() { _ = h.Shutdown(over) }()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics.Collector(h))
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	if err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP noom_hub_cluster_hubs Hubs of the cluster that live, this one included.
# TYPE noom_hub_cluster_hubs gauge
noom_hub_cluster_hubs 1
`), "noom_hub_cluster_hubs"); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(registry, "noom_hub_cluster_messages_total"); err != nil || n != 4 {
		t.Errorf("%d numbers of messages, %v", n, err)
	}
}
