#include "http/h2_budget.h"

struct budget_row {
	const char *name;
	uint32_t burst;
	uint32_t per_second;
};

/* Far above what clients do, far below what hurts. */
static const struct budget_row rows[H2_BUDGET_COUNT] = {
	[H2_BUDGET_RESETS] = { "requests taken back", 200, 20 },
	[H2_BUDGET_PINGS] = { "PING and SETTINGS", 100, 10 },
	[H2_BUDGET_EMPTY] = { "empty DATA", 100, 10 },
	[H2_BUDGET_WINDOWS] = { "WINDOW_UPDATE", 4000, 1000 },
	[H2_BUDGET_CONTROL] = { "control frames", 4000, 500 },
};

static uint32_t smaller(uint64_t a, uint32_t b)
{
	return a < b ? (uint32_t)a : b;
}

void h2_budgets_init(struct h2_budgets *b, uint64_t now_ms)
{
	for (int i = 0; i < H2_BUDGET_COUNT; i++)
		b->accounts[i] = (struct h2_account){ .left = rows[i].burst, .filled_ms = now_ms };
}

static void fill(struct h2_account *account, const struct budget_row *row, uint64_t now_ms)
{
	uint64_t seconds = (now_ms - account->filled_ms) / 1000;

	if (seconds == 0)
		return;
	account->filled_ms += seconds * 1000;
	account->left = smaller(account->left +
					smaller(seconds, row->burst) * (uint64_t)row->per_second,
				row->burst);
}

bool h2_budget_spend(struct h2_budgets *b, enum h2_budget budget, uint64_t now_ms)
{
	struct h2_account *account = &b->accounts[budget];

	fill(account, &rows[budget], now_ms);
	if (account->left == 0)
		return false;
	account->left--;
	return true;
}

void h2_budget_earn(struct h2_budgets *b, enum h2_budget budget, uint32_t count)
{
	struct h2_account *account = &b->accounts[budget];

	account->left = smaller((uint64_t)account->left + count, rows[budget].burst);
}

const char *h2_budget_name(enum h2_budget budget)
{
	return rows[budget].name;
}

uint32_t h2_budget_burst(enum h2_budget budget)
{
	return rows[budget].burst;
}
