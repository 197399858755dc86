/*
 * What all streams share: the first failure is kept, because FAILED is final and its reason repeatable.
 */

#include "io/stream.h"

#include <assert.h>

#include "base/mem.h"

int stream_fail(struct stream *s, const struct err *e)
{
	assert(e->kind != ERR_NONE);
	if (!s->err)
		s->err = mem_copy(e, sizeof(*e));
	return STREAM_FAILED;
}
