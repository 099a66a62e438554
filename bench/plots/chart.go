package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
)

// A chart is some values of a call against time.
type chart struct {
	title string
	about string // for those who do not see it
	tick  float64
	unit  string
	lines []line
}

// A line is one value.
type line struct {
	name  string
	class string // in the style sheet
	value func(sample) float64
	steps bool // it changes at once
	gaps  bool // 0 is no value
}

func rateChart() chart {
	rate := func(of func(sample) int) func(sample) float64 {
		return func(s sample) float64 { return float64(of(s)) / 1e6 }
	}
	return chart{
		title: "How much is sent while the link is narrow",
		about: "Rates against time. The link carries 2 Mbit/s, between 20 and 40 s only 300 kbit/s. Estimate, what is sent and " +
			"what is shown fall with it within seconds, stay near it, and are near 2 Mbit/s again some ten seconds after it.",
		tick: 0.5, unit: "Mbit/s",
		lines: []line{
			{name: "the link", class: "link", steps: true, value: rate(func(s sample) int { return s.link })},
			{name: "estimate", class: "first", steps: true, value: rate(func(s sample) int { return s.estimate })},
			{name: "sent, all included", class: "second", value: rate(func(s sample) int { return s.sent })},
			{name: "pictures shown", class: "third", value: rate(func(s sample) int { return s.shown })},
		},
	}
}

func delayChart() chart {
	return chart{
		title: "How late it is",
		about: "Delays against time. Packets wait in the queue before the link for some tens of milliseconds, and pictures are " +
			"shown some 70 ms after they were made. For about a second after the cut at 20 s the queue is full, and no picture is " +
			"shown. Later there are a few short peaks, where the call has tried whether the link carries more.",
		tick: 100, unit: "ms",
		lines: []line{
			{name: "queue before the link", class: "second", value: func(s sample) float64 { return 1e3 * s.queue.Seconds() }},
			{name: "pictures, from camera to screen", class: "third", gaps: true, value: func(s sample) float64 { return 1e3 * s.picture.Seconds() }},
		},
	}
}

// The size of a chart, and of the space around its plot.
const (
	width, height            = 860, 340
	left, right, top, bottom = 58, 24, 66, 42
)

// style has a background of its own, for pages that do not follow the reader's colour scheme as the picture does.
const style = `
  svg { color-scheme: light dark; font: 14px system-ui, sans-serif; }
  .back { fill: #fff; } .grid { stroke: #e1e4e8; } text { fill: #24292f; } .title { font-size: 16px; font-weight: 600; }
  .soft { fill: #57606a; } polyline { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
  .link { stroke: #8c959f; stroke-width: 5; stroke-opacity: .5; stroke-linecap: butt; } .first { stroke: #0072b2; stroke-dasharray: 7 3; } .second { stroke: #d55e00; } .third { stroke: #009e73; }
  @media (prefers-color-scheme: dark) {
    .back { fill: #0d1117; } .grid { stroke: #30363d; } text { fill: #e6edf3; } .soft { fill: #9ba3ad; }
    .first { stroke: #56b4e9; } .second { stroke: #f0883e; } .third { stroke: #3fb984; }
  }
`

// svg draws the chart.
func (c chart) svg(samples []sample) []byte {
	end, most := samples[len(samples)-1].at.Seconds(), 0.0
	for _, s := range samples {
		for _, l := range c.lines {
			most = max(most, l.value(s))
		}
	}
	most = c.tick * math.Ceil(most/c.tick)
	x := func(seconds float64) float64 { return left + seconds/end*(width-left-right) }
	y := func(value float64) float64 { return height - bottom - value/most*(height-top-bottom) }

	var b bytes.Buffer
	put := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	put(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="title about">`, width, height)
	put(`<title id="title">%s</title><desc id="about">%s</desc><style>%s</style>`, html.EscapeString(c.title), html.EscapeString(c.about), style)
	put(`<rect class="back" width="%d" height="%d" rx="6"/>`, width, height)
	put(`<text class="title" x="%d" y="26">%s</text>`, left, html.EscapeString(c.title))
	for v := 0.0; v <= most; v += c.tick {
		put(`<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>`, left, width-right, y(v), y(v))
		put(`<text class="soft" x="%d" y="%.1f" text-anchor="end">%g</text>`, left-8, y(v)+5, v)
	}
	put(`<text class="soft" x="%d" y="%d" text-anchor="end">%s</text>`, left-8, top-16, c.unit)
	for s := 0.0; s <= end; s += 10 {
		put(`<text class="soft" x="%.1f" y="%d" text-anchor="middle">%g s</text>`, x(s), height-bottom+20, s)
	}
	c.draw(put, samples, x, y)
	put(`</svg>`)
	return b.Bytes()
}

// draw draws the lines, and what they are called in a row above them.
func (c chart) draw(put func(string, ...any), samples []sample, x, y func(float64) float64) {
	at := float64(left)
	for _, l := range c.lines {
		put(`<polyline class="%s" points="%.1f,48 %.1f,48"/>`, l.class, at, at+26)
		put(`<text x="%.1f" y="53">%s</text>`, at+34, html.EscapeString(l.name))
		at += 34 + 8*float64(len(l.name)) + 20
		var points bytes.Buffer
		flush := func() {
			if points.Len() > 0 {
				put(`<polyline class="%s" points="%s"/>`, l.class, points.Bytes()[1:])
			}
			points.Reset()
		}
		before := 0.0
		for _, s := range samples {
			v := l.value(s)
			switch {
			case v == 0 && l.gaps:
				flush()
				continue
			case points.Len() == 0: // twice, so that one alone is seen
				fmt.Fprintf(&points, " %.1f,%.1f", x(s.at.Seconds()), y(v))
			case l.steps && v != before:
				fmt.Fprintf(&points, " %.1f,%.1f", x(s.at.Seconds()), y(before))
			}
			fmt.Fprintf(&points, " %.1f,%.1f", x(s.at.Seconds()), y(v))
			before = v
		}
		flush()
	}
}
