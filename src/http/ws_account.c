#include "http/ws_account.h"

void ws_account_init(struct ws_account *a, uint64_t now_ms)
{
	*a = (struct ws_account){ .filled_ms = now_ms, .left = WS_IDLE_BURST };
}

static void fill(struct ws_account *a, uint64_t now_ms)
{
	uint64_t seconds = (now_ms - a->filled_ms) / 1000;
	uint64_t left = WS_IDLE_BURST;

	if (seconds == 0)
		return;
	if (seconds < WS_IDLE_BURST)
		left = a->left + seconds * WS_IDLE_PER_SECOND;
	a->filled_ms += seconds * 1000;
	a->left = left < WS_IDLE_BURST ? (uint32_t)left : WS_IDLE_BURST;
}

bool ws_account_spend(struct ws_account *a, uint64_t now_ms)
{
	fill(a, now_ms);
	if (a->left == 0)
		return false;
	a->left--;
	return true;
}
