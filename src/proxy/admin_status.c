#include "proxy/admin_status.h"

#include <unistd.h>

#include "io/loop.h"
#include "proxy/control.h"
#include "proxy/recheck.h"
#include "proxy/reload.h"
#include "proxy/shutdown.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"
#include "session/store.h"

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void write_longest_turns(const struct control *c, struct admin_table *t)
{
	uint64_t us = 0;
	uint64_t cpu_us = 0;

	for (size_t i = 0; i < c->worker_count; i++) {
		us = larger(us, loop_longest_turn_us(c->workers[i]->loop));
		cpu_us = larger(cpu_us, recheck_longest_turn_cpu_us(c->workers[i]->recheck));
	}
	admin_row_thousandths(t, "longest_turn_ms", us);
	admin_row_thousandths(t, "longest_recheck_turn_cpu_ms", cpu_us);
}

void admin_status_write(const struct control *c, struct admin_table *t)
{
	struct err away = { 0 };
	const struct reload_state *reloads = reload_state(c->reload);
	bool is_well = store_is_available(c->store, &away);

	if (t->form == ADMIN_LINES)
		(void)buf_append_str(
			&t->out,
			STR("VERSION\tSTATE\tPID\tSTARTED\tWORKERS\tROUTES\tSTORE\tLAST RELOAD\t"
			    "RESULT\tRELOADS\tFAILED\tLONGEST TURN (MS)\t"
			    "OF RECHECKS, CPU (MS)\n"));
	admin_row_begin(t);
	admin_row_text(t, "version", STR(POMERIUM_VERSION));
	admin_row_text(t, "state", str_from(shutdown_state_name(c->life.shutdown)));
	admin_row_uint(t, "pid", (uint64_t)getpid());
	admin_row_time(t, "started", c->life.started_unix);
	admin_row_uint(t, "workers", c->worker_count);
	admin_row_uint(t, "routes", c->snapshot->routes.count);
	admin_row_text(t, "store", is_well ? STR("available") : str_from(away.text));
	admin_row_time(t, "last_reload", reloads->last_unix);
	admin_row_text(t, "last_reload_result",
		       reloads->is_last_good ? STR("good") : str_from(reloads->last_problem.text));
	admin_row_uint(t, "reloads", reloads->success_count);
	admin_row_uint(t, "reloads_failed", reloads->failure_count);
	write_longest_turns(c, t);
	admin_row_end(t);
}
