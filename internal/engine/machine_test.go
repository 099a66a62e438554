package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/transport/v5"
)

// TestInterfacesAreThoseOfNow: connections that are made at once share a list, and a later one, or a restart, has a new one.
func TestInterfacesAreThoseOfNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m machine
		list := func() *transport.Interface {
			all, err := m.Interfaces()
			if err != nil || len(all) == 0 {
				t.Fatalf("%d interfaces: %v", len(all), err)
			}
			return all[0]
		}
		first := list()
		if list() != first {
			t.Error("the list is made twice at once")
		}
		time.Sleep(listedFor)
		later := list()
		if later == first || later.Name != first.Name {
			t.Errorf("a later list has the same %v, or another one than %v", later, first)
		}
		if byName, err := m.InterfaceByName(first.Name); err != nil || byName != later {
			t.Errorf("%v by name, want %v: %v", byName, later, err)
		}
		if byIndex, err := m.InterfaceByIndex(first.Index); err != nil || byIndex != later {
			t.Errorf("%v by index, want %v: %v", byIndex, later, err)
		}
	})
}
