package mcpserver

// semaphore limits how many requests of a kind run at once.
type semaphore chan struct{}

// TryAcquire returns a permit, or nil if all are in use.
func (s semaphore) TryAcquire() *permit {
	select {
	case s <- struct{}{}:
		return &permit{s}
	default:
		return nil
	}
}

// permit is one unit of a semaphore.
type permit struct{ sem semaphore }

func (p *permit) Release() { <-p.sem }

// transferTo exchanges the permit for one of another semaphore. It fails if that
// has none left.
func (p *permit) transferTo(target semaphore) bool {
	select {
	case target <- struct{}{}:
	default:
		return false
	}
	p.Release()
	p.sem = target
	return true
}
