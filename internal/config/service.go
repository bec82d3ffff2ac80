package config

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/memsup/memsup/internal/limit"
	"github.com/memsup/memsup/internal/service"
)

// draft is a service while it is being read.
type draft struct {
	spec   service.Spec
	mode   string
	launch service.Launch
	at     place            // of its name
	places map[string]place // of its keys, for what is only wrong together
}

func newDraft() *draft {
	return &draft{
		spec: service.Spec{
			Driver: service.Systemd, Watermarks: service.DefaultWatermarks,
			Interval: service.DefaultInterval, Restart: service.DefaultRestart,
		},
		mode:   "adopt",
		places: map[string]place{},
	}
}

// shared are the keys that "defaults" and a service have in common.
func (p *reader) shared(d *draft) keys {
	s := &d.spec
	return keys{
		"warningThreshold":  p.fraction(&s.Watermarks.Warning),
		"criticalThreshold": p.fraction(&s.Watermarks.Critical),
		"hysteresis":        p.fraction(&s.Watermarks.Hysteresis),
		"interval":          p.duration(&s.Interval, minInterval, maxInterval),
		"maxRestarts":       p.count(&s.Restart.MaxRestarts, 0, 1000),
		"restartCooldown":   p.duration(&s.Restart.Cooldown, 0, 7*24*time.Hour),
		"restartWindow":     p.duration(&s.Restart.Window, time.Second, 30*24*time.Hour),
		"restartOnOOM":      p.boolean(&s.Restart.OnOOM),
		"restartOnCritical": p.boolean(&s.Restart.OnCritical),
	}
}

func (p *reader) readDefaults(root ast.Node) {
	p.entries(root, "the configuration", func(key string, _ place, value ast.Node) {
		if key == "defaults" {
			p.mapping(value, "defaults", p.placed(p.base, p.shared(p.base)))
		}
	})
}

func (p *reader) readRest(root ast.Node) {
	// The first pass has told what is wrong with the mapping itself and its
	// defaults; only the rest is read here.
	told := p.errs
	c := &p.config
	p.mapping(root, "the configuration", keys{
		"defaults": func(ast.Node) {},
		"listen":   p.str(&c.Listen, `want a loopback address with a port, such as 127.0.0.1:3007, or "" for none: whoever can reach another one could read of your services`, isLoopback),
		"socket":   p.str(&c.Socket, `want an absolute path, or "" for none`, func(s string) bool { return s == "" || isPath(s) && len(s) < 108 }),
		"stateDir": p.str(&c.StateDir, "want an absolute path", isPath),
		"logLevel": p.str(&c.LogLevel, "want debug, info, warn or error", func(s string) bool {
			return s == "debug" || s == "info" || s == "warn" || s == "error"
		}),
		"services": p.readServices,
	})
	p.errs = dedupe(told, p.errs)
}

// dedupe drops what the first pass told already.
func dedupe(told, all Errors) Errors {
	out := told
	for _, e := range all[len(told):] {
		again := false
		for _, t := range told {
			again = again || *t == *e
		}
		if !again {
			out = append(out, e)
		}
	}
	return out
}

func (p *reader) readServices(n ast.Node) {
	p.entries(n, "services", func(name string, at place, value ast.Node) {
		if err := service.CheckName(name); err != nil {
			p.bad(at, "", "%v", err)
			return
		}
		d := p.drafts[name]
		if d == nil {
			d = newDraft()
			d.spec, d.at = p.base.spec, at
			d.spec.Name = name
			p.drafts[name] = d
			p.order = append(p.order, name)
		}
		p.readService(d, value)
	})
}

func (p *reader) readService(d *draft, n ast.Node) {
	known := p.shared(d)
	driver := string(d.spec.Driver)
	known["driver"] = p.str(&driver, "want systemd or cgroupfs", func(s string) bool {
		return s == string(service.Systemd) || s == string(service.Cgroupfs)
	})
	known["mode"] = p.str(&d.mode, "want adopt or launch", func(s string) bool { return s == "adopt" || s == "launch" })
	known["unit"] = func(n ast.Node) {
		const want = "want the name of one service unit, such as walmart-pricing.service"
		s, ok := p.text(n, want)
		if !ok {
			return
		}
		unit, ok := unitName(s)
		if !ok {
			p.bad(p.at(n), want, "%.80q", s)
			return
		}
		d.spec.Unit = unit
	}
	known["limits"] = func(n ast.Node) {
		l := &d.spec.Limits
		p.mapping(n, "limits", p.placed(d, keys{
			"max": p.size(&l.Max), "high": p.size(&l.High), "low": p.size(&l.Low), "min": p.size(&l.Min), "swapMax": p.size(&l.SwapMax),
		}))
	}
	known["launch"] = func(n ast.Node) {
		l := &d.launch
		p.mapping(n, "launch", p.placed(d, keys{
			"exec": p.argv(&l.Exec), "environment": p.environment(&l.Environment),
			"directory":   p.str(&l.Directory, "want an absolute path", isPath),
			"user":        p.str(&l.User, "want a user's name", isWord),
			"group":       p.str(&l.Group, "want a group's name", isWord),
			"stopTimeout": p.duration(&l.StopTimeout, time.Second, time.Hour),
		}))
	}
	p.mapping(n, "service "+d.spec.Name, p.placed(d, known))
	d.spec.Driver = service.Driver(driver)
}

// placed remembers where each key's value stands.
func (p *reader) placed(d *draft, known keys) keys {
	out := make(keys, len(known))
	for key, read := range known {
		out[key] = func(n ast.Node) {
			d.places[key] = p.at(n)
			read(n)
		}
	}
	return out
}

func isPath(s string) bool { return strings.HasPrefix(s, "/") }

func isWord(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsAny(s, " \t\n/:")
}

// isVariable reports whether systemd takes s as the name of an environment variable.
func isVariable(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

func isLoopback(s string) bool {
	if s == "" {
		return true
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// finish checks what only shows in the whole, and makes the specs.
func (p *reader) finish() {
	units := map[string]string{}
	if len(p.order) > maxServices {
		p.bad(p.drafts[p.order[maxServices]].at, fmt.Sprintf("want at most %d", maxServices), "%d services", len(p.order))
	}
	for _, name := range p.order {
		d := p.drafts[name]
		p.check(d)
		s := &d.spec
		if d.mode == "launch" {
			s.Launch = &d.launch
		}
		if s.Unit == "" {
			prefix := ""
			if d.mode == "launch" {
				prefix = "memsup-"
			}
			s.Unit = prefix + name + ".service"
		}
		if other, taken := units[s.Unit]; taken {
			p.bad(d.place("unit"), "want one service a unit", "%s is the unit of %s already", s.Unit, other)
		}
		units[s.Unit] = name
		p.config.Services = append(p.config.Services, *s)
	}
}

func (d *draft) place(key string) place {
	if at, ok := d.places[key]; ok {
		return at
	}
	return d.at
}

func (p *reader) check(d *draft) {
	s := d.spec
	w := s.Watermarks
	if w.Warning >= w.Critical {
		p.bad(d.place("warningThreshold"), "want warningThreshold below criticalThreshold", "%s: warning at %v, critical at %v", s.Name, w.Warning, w.Critical)
	}
	if w.Hysteresis >= w.Warning {
		p.bad(d.place("hysteresis"), "want hysteresis below warningThreshold", "%s: hysteresis of %v", s.Name, w.Hysteresis)
	}
	adopt := d.mode == "adopt"
	if adopt && s.Driver == service.Cgroupfs {
		p.bad(d.place("mode"), "want mode: launch", "%s: the cgroupfs driver cannot adopt", s.Name)
	}
	if at, said := d.places["limits"]; said && adopt {
		p.bad(at, fmt.Sprintf("put them into the unit: systemctl edit %s", s.Name), "%s: limits of an adopted unit", s.Name)
	}
	if at, said := d.places["launch"]; said && adopt {
		p.bad(at, "want mode: launch beside it", "%s: launch in mode adopt", s.Name)
	}
	if !adopt && len(d.launch.Exec) == 0 {
		p.bad(d.place("mode"), "want launch.exec: [/path/to/program, argument]", "%s: nothing to launch", s.Name)
	}
	l := s.Limits
	for _, c := range []struct {
		name string
		v    limit.Value
	}{{"max", l.Max}, {"high", l.High}} {
		if c.v == limit.Bytes(0) {
			p.bad(d.place(c.name), `want a size, or "max" for no limit`, "%s: %s is 0, with which nothing runs", s.Name, c.name)
		}
	}
	for _, c := range []struct {
		low, high         limit.Value
		lowName, highName string
	}{
		{l.High, l.Max, "high", "max"},
		{l.Low, l.Max, "low", "max"},
		{l.Low, l.High, "low", "high"},
		{l.Min, l.Max, "min", "max"},
	} {
		a, ok1 := c.low.Bytes()
		b, ok2 := c.high.Bytes()
		if ok1 && ok2 && a > b {
			p.bad(d.place(c.lowName), fmt.Sprintf("want %s at most %s", c.lowName, c.highName), "%s: %s is %v, %s is %v", s.Name, c.lowName, c.low, c.highName, c.high)
		}
	}
}
