package sdjwt

import "fmt"

// frame says of a value, and of what is in it, what is made selective.
type frame struct {
	selective bool
	names     map[string]*frame
	items     map[int]*frame
	every     *frame
}

// newFrame gathers paths in the notation of DCQL: a text is a name, a number the
// place in an array, and nil every element of it.
func newFrame(paths [][]any) (*frame, error) {
	root := &frame{}
	for _, path := range paths {
		if len(path) == 0 || len(path) > maxDepth {
			return nil, fmt.Errorf("%w: its length", ErrPath)
		}
		at := root
		for _, step := range path {
			var err error
			if at, err = at.child(step); err != nil {
				return nil, err
			}
		}
		at.selective = true
	}
	return root, nil
}

func (f *frame) child(step any) (*frame, error) {
	switch step := step.(type) {
	case string:
		if f.names == nil {
			f.names = map[string]*frame{}
		}
		if f.names[step] == nil {
			f.names[step] = &frame{}
		}
		return f.names[step], nil
	case int:
		if step < 0 {
			break
		}
		if f.items == nil {
			f.items = map[int]*frame{}
		}
		if f.items[step] == nil {
			f.items[step] = &frame{}
		}
		return f.items[step], nil
	case nil:
		if f.every == nil {
			f.every = &frame{}
		}
		return f.every, nil
	}
	return nil, fmt.Errorf("%w: a step is a text, a number from 0, or nil", ErrPath)
}

// of gives the frame of a member; nil when nothing in it is selective.
func (f *frame) of(name string) *frame {
	if f == nil {
		return nil
	}
	return f.names[name]
}

func (f *frame) at(i int) *frame {
	if f == nil {
		return nil
	}
	return merged(f.items[i], f.every)
}

// merged is what either of two frames says: a path may name one element, and
// another path all of them.
func merged(a, b *frame) *frame {
	if a == nil || b == nil {
		if a == nil {
			return b
		}
		return a
	}
	both := &frame{selective: a.selective || b.selective, every: merged(a.every, b.every)}
	both.names, both.items = mergedMaps(a.names, b.names), mergedMaps(a.items, b.items)
	return both
}

func mergedMaps[K comparable](a, b map[K]*frame) map[K]*frame {
	both := make(map[K]*frame, len(a)+len(b))
	for key, f := range a {
		both[key] = merged(f, b[key])
	}
	for key, f := range b {
		both[key] = merged(f, a[key])
	}
	return both
}

// fits says whether the frame can lie over an object, or an array. A path that means
// something else would leave a claim in the clear that was to be selective.
func (f *frame) fits(object, array bool) error {
	if f == nil || (len(f.names) == 0 || object) && (len(f.items) == 0 && f.every == nil || array) {
		return nil
	}
	return fmt.Errorf("%w: the value is of another shape", ErrPath)
}
