// Package deadline divides the time of a context.
package deadline

import (
	"context"
	"time"
)

// Share returns a context that ends when one of n has had its share of the time
// left until ctx's deadline, so that a silent one does not use it up. Without a
// deadline it ends with ctx. N is at least 1.
func Share(ctx context.Context, n int) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(end)/time.Duration(n))
}
