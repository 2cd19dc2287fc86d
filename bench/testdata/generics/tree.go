package generics

import "cmp"

// Map is an ordered map: an AA tree (Andersson, "Balanced Search Trees Made
// Simple", 1993).
type Map[K cmp.Ordered, V any] struct {
	root *node[K, V]
	n    int
}

type node[K cmp.Ordered, V any] struct {
	key         K
	value       V
	level       int
	left, right *node[K, V]
}

// Len is the number of keys.
func (m *Map[K, V]) Len() int { return m.n }

// Get finds what a key has been set to.
func (m *Map[K, V]) Get(key K) (v V, ok bool) {
	for p := m.root; p != nil; {
		switch c := cmp.Compare(key, p.key); {
		case c == 0:
			return p.value, true
		case c < 0:
			p = p.left
		default:
			p = p.right
		}
	}
	return v, false
}

// Set sets a key to a value.
func (m *Map[K, V]) Set(key K, value V) {
	m.root = m.insert(m.root, key, value)
}

func (m *Map[K, V]) insert(p *node[K, V], key K, value V) *node[K, V] {
	if p == nil {
		m.n++
		return &node[K, V]{key: key, value: value, level: 1}
	}
	switch c := cmp.Compare(key, p.key); {
	case c == 0:
		p.value = value
		return p
	case c < 0:
		p.left = m.insert(p.left, key, value)
	default:
		p.right = m.insert(p.right, key, value)
	}
	return p.skew().split()
}

// skew turns a left child of the same level into the parent.
func (p *node[K, V]) skew() *node[K, V] {
	l := p.left
	if l == nil || l.level != p.level {
		return p
	}
	p.left, l.right = l.right, p
	return l
}

// split lifts the middle one of three of the same level.
func (p *node[K, V]) split() *node[K, V] {
	r := p.right
	if r == nil || r.right == nil || r.right.level != p.level {
		return p
	}
	p.right, r.left = r.left, p
	r.level++
	return r
}

// Each calls f for every key in order, until it says no.
func (m *Map[K, V]) Each(f func(K, V) bool) { m.root.each(f) }

func (p *node[K, V]) each(f func(K, V) bool) bool {
	return p == nil || p.left.each(f) && f(p.key, p.value) && p.right.each(f)
}
