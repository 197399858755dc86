#include "proxy/old_snapshots.h"

#include "base/list.h"
#include "base/mem.h"
#include "io/loop.h"
#include "io/work.h"
#include "proxy/snapshot.h"

#define LOOK_MS 100

struct old_snapshots {
	struct loop *loop;
	struct timer timer;
	struct list all;
};

struct old_snapshot {
	struct list_node node;
	struct snapshot *snapshot;
};

static void run_unref(void *arg)
{
	snapshot_unref(arg);
}

static void on_due(struct timer *timer)
{
	struct old_snapshots *o = container_of(timer, struct old_snapshots, timer);

	LIST_FOREACH (&o->all, node) {
		struct old_snapshot *old = container_of(node, struct old_snapshot, node);

		if (!ref_is_last(&old->snapshot->ref))
			continue;
		list_remove(node);
		(void)work_start(o->loop, run_unref, NULL, NULL, old->snapshot); /* by itself */
		mem_free(old);
	}
	if (!list_is_empty(&o->all))
		timer_start(&o->timer, o->loop, loop_now_ms(o->loop) + LOOK_MS, on_due);
}

struct old_snapshots *old_snapshots_new(struct loop *loop)
{
	struct old_snapshots *o = mem_alloc(sizeof(*o));

	o->loop = loop;
	list_init(&o->all);
	return o;
}

void old_snapshots_add(struct old_snapshots *o, struct snapshot *snapshot)
{
	struct old_snapshot *old = mem_alloc(sizeof(*old));

	old->snapshot = snapshot;
	list_append(&o->all, &old->node);
	on_due(&o->timer);
}

void old_snapshots_free(struct old_snapshots *o)
{
	if (!o)
		return;
	timer_cancel(&o->timer);
	LIST_FOREACH (&o->all, node) {
		struct old_snapshot *old = container_of(node, struct old_snapshot, node);

		list_remove(node);
		snapshot_unref(TAKE(old->snapshot));
		mem_free(old);
	}
	mem_free(o);
}
