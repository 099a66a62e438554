package questions

import "slices"

// Next returns the next piece to send, nil if there is none. It has at most 16 KiB of a question or an answer.
func (m *Machine) Next() []byte {
	if len(m.urgent) > 0 {
		p := m.urgent[0]
		m.urgent = slices.Delete(m.urgent, 0, 1)
		if p.kind == kindRefusal {
			delete(m.theirs, p.id)
		}
		return p.encode()
	}
	if len(m.queue) == 0 {
		return nil
	}
	w := m.queue[0]
	p := w.next()
	if p.kind == kindQuestion {
		m.begun = p.id
	}
	if w.sent == len(w.data) {
		m.queue = slices.Delete(m.queue, 0, 1)
		if w.first.kind == kindAnswer {
			m.waiting -= len(w.data)
			delete(m.theirs, p.id)
		}
	}
	return p.encode()
}

func (w *message) next() piece {
	p := piece{kind: w.more, id: w.first.id}
	if !w.begun {
		w.begun, p = true, w.first
	}
	end := min(w.sent+pieceSize, len(w.data))
	p.rest, w.sent = w.data[w.sent:end], end
	return p
}

// Take takes a piece from the other end. After an error nothing more is to be taken from it before the next connection.
func (m *Machine) Take(b []byte) ([]Action, error) {
	p, known, err := decode(b)
	if err != nil || !known {
		return nil, err
	}
	switch p.kind {
	case kindQuestion:
		return m.takeQuestion(&p)
	case kindQuestionMore:
		return m.takeMoreOfQuestion(&p)
	case kindUnwanted:
		if p.id > m.last {
			return nil, ErrPiece
		}
		return m.unwant(p.id), nil
	case kindAnswer:
		return m.takeAnswer(&p)
	case kindAnswerMore:
		if m.answer == nil || m.answer.id != p.id {
			return nil, ErrPiece
		}
		return m.takeOfAnswer(p.rest)
	}
	return m.takeRefusal(&p)
}

func (m *Machine) takeQuestion(p *piece) ([]Action, error) {
	if p.id <= m.last || m.question != nil || len(m.theirs) >= maxEnding {
		return nil, ErrPiece
	}
	if m.theirs == nil {
		m.theirs = make(map[ID]*theirs)
	}
	m.last = p.id
	q := &theirs{topic: p.topic}
	full := len(m.theirs) >= MaxOpen || m.held+int(p.size) > MaxBytes
	m.theirs[p.id] = q
	switch {
	case m.closed || m.sealed:
		m.refuse(p.id, cancelled)
		return nil, nil
	case full:
		m.refuse(p.id, Refusal{CodeBusy, "too many questions are open; ask again later"})
		return nil, nil
	}
	q.size = int(p.size)
	m.held += q.size
	m.question = &arrival{id: p.id, size: q.size}
	return m.takeOfQuestion(p.rest)
}

func (m *Machine) takeMoreOfQuestion(p *piece) ([]Action, error) {
	switch {
	case p.id > m.last:
		return nil, ErrPiece
	case m.question == nil || m.question.id != p.id:
		return nil, nil // it was refused
	}
	return m.takeOfQuestion(p.rest)
}

func (m *Machine) takeOfQuestion(bytes []byte) ([]Action, error) {
	whole, err := m.question.take(bytes)
	if err != nil || !whole {
		return nil, err
	}
	id, data := m.question.id, m.question.data
	m.question = nil
	q := m.theirs[id]
	q.state = handled
	return []Action{{Kind: Asked, ID: id, Topic: q.topic, Data: data}}, nil
}

// unwant ends a question of theirs that nobody wants, unless it has its end.
func (m *Machine) unwant(id ID) []Action {
	q := m.theirs[id]
	if q == nil {
		return nil
	}
	switch q.state {
	case coming:
		m.question = nil
		m.refuse(id, cancelled)
	case handled:
		if !q.unwanted {
			q.unwanted = true
			return []Action{{Kind: Unwanted, ID: id}}
		}
	case answered:
		i := slices.IndexFunc(m.queue, func(w *message) bool { return w.first.kind == kindAnswer && w.first.id == id })
		m.waiting -= len(m.queue[i].data)
		m.unqueue(kindAnswer, id)
		m.refuse(id, cancelled)
	case refused:
	}
	return nil
}

func (m *Machine) takeAnswer(p *piece) ([]Action, error) {
	if m.ours[p.id] == nil || p.id > m.begun || m.answer != nil {
		return nil, ErrPiece
	}
	m.unqueue(kindQuestion, p.id) // it has heard enough
	m.answer = &arrival{id: p.id, size: int(p.size)}
	return m.takeOfAnswer(p.rest)
}

func (m *Machine) takeOfAnswer(bytes []byte) ([]Action, error) {
	whole, err := m.answer.take(bytes)
	if err != nil || !whole {
		return nil, err
	}
	id, data := m.answer.id, m.answer.data
	return m.end(Action{Kind: Ended, ID: id, Data: data}), nil
}

func (m *Machine) takeRefusal(p *piece) ([]Action, error) {
	if m.ours[p.id] == nil || p.id > m.begun {
		return nil, ErrPiece
	}
	m.unqueue(kindQuestion, p.id)
	return m.end(Action{Kind: Ended, ID: p.id, Refusal: &Refusal{p.code, string(p.rest)}}), nil
}

// end ends a question of ours.
func (m *Machine) end(a Action) []Action {
	wanted := m.ours[a.ID].wanted
	m.forgetOurs(a.ID)
	if m.answer != nil && m.answer.id == a.ID {
		m.answer = nil
	}
	m.urgent = slices.DeleteFunc(m.urgent, func(p *piece) bool { return p.kind == kindUnwanted && p.id == a.ID })
	if !wanted {
		return nil
	}
	return []Action{a}
}

// take takes the next bytes, and reports whether they were the last.
func (a *arrival) take(bytes []byte) (whole bool, err error) {
	if len(a.data)+len(bytes) > a.size {
		return false, ErrPiece
	}
	a.data = append(a.data, bytes...)
	return len(a.data) == a.size, nil
}
