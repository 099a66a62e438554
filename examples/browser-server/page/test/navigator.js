// Node 20 has no navigator. Whoever needs one imports this first.
globalThis.navigator ??= { userAgent: 'Node', languages: [] };
