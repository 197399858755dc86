#pragma once

/*
 * h2_budget.h - how much of what costs the sender nothing one HTTP/2 peer may do; pure
 *
 * Each kind of abuse has an account: a burst at the beginning, and so much more a second. Who overdraws one ends the
 * connection (ENHANCE_YOUR_CALM). The table is in h2_budget.c.
 */

#include <stdbool.h>
#include <stdint.h>

enum h2_budget {
	H2_BUDGET_RESETS,  /* requests taken back before they were answered, and broken frames */
	H2_BUDGET_PINGS,   /* PING, SETTINGS: both want an answer */
	H2_BUDGET_EMPTY,   /* DATA with nothing in it */
	H2_BUDGET_WINDOWS, /* WINDOW_UPDATE beyond two for each frame of data that was sent */
	H2_BUDGET_CONTROL, /* PRIORITY, resets of open tunnels */
	H2_BUDGET_COUNT,
};

struct h2_account {
	uint32_t left;
	uint64_t filled_ms;
};

struct h2_budgets {
	struct h2_account accounts[H2_BUDGET_COUNT];
};

void h2_budgets_init(struct h2_budgets *b, uint64_t now_ms);

/* False: it is overdrawn. */
bool h2_budget_spend(struct h2_budgets *b, enum h2_budget budget, uint64_t now_ms);

/* Earned by something else, up to the burst. */
void h2_budget_earn(struct h2_budgets *b, enum h2_budget budget, uint32_t count);

/* "more PING and SETTINGS than ..." for the log. */
const char *h2_budget_name(enum h2_budget budget);
uint32_t h2_budget_burst(enum h2_budget budget);
