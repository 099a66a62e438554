package hub

// Owns reports whether a hub of a cluster is, or would be, the owner of a room.
func (h *Hub) Owns(room string) bool { return h.fleet.current().Owner(room) == h.fleet.self }

// ClusterID is what other hubs of the cluster call this one.
func (h *Hub) ClusterID() string { return h.fleet.self }
