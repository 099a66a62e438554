package noomtest

type Source struct{}

func (s *Source) stop() {}
