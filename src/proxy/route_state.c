#include "proxy/route_state.h"

#include <string.h>

#include "base/mem.h"

struct route_state *route_state_new(const char *id, size_t target_count)
{
	struct route_state *s = mem_alloc(sizeof(*s) + target_count * sizeof(s->targets[0]));

	s->ref = REF_INIT;
	memcpy(s->id, id, ROUTE_ID_LEN);
	s->target_count = target_count;
	return s;
}

struct route_state *route_state_ref(struct route_state *s)
{
	ref_get(&s->ref);
	return s;
}

void route_state_unref(struct route_state *s)
{
	if (s && ref_put(&s->ref))
		mem_free(s);
}
