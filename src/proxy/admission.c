#include "proxy/admission.h"

bool admission_try(struct admission_count *c, uint64_t limit)
{
	if (atomic_fetch_add_explicit(&c->inside, 1, memory_order_relaxed) < limit)
		return true;
	admission_leave(c);
	return false;
}

bool admission_enter(struct admission_count *c, uint64_t limit)
{
	if (admission_try(c, limit))
		return true;
	admission_note_refused(c);
	return false;
}

void admission_note_refused(struct admission_count *c)
{
	atomic_fetch_add_explicit(&c->refused, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&c->unreported, 1, memory_order_relaxed);
}

void admission_leave(struct admission_count *c)
{
	atomic_fetch_sub_explicit(&c->inside, 1, memory_order_relaxed);
}

uint64_t admission_take_refused(struct admission_count *c, uint64_t now_ms)
{
	uint_fast64_t due = atomic_load_explicit(&c->next_report_ms, memory_order_relaxed);

	/* Of several threads whose time it is, one tells. */
	if (now_ms < due || !atomic_compare_exchange_strong_explicit(
				    &c->next_report_ms, &due, now_ms + ADMISSION_REPORT_INTERVAL_MS,
				    memory_order_relaxed, memory_order_relaxed))
		return 0;
	return atomic_exchange_explicit(&c->unreported, 0, memory_order_relaxed);
}
